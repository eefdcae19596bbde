"""What people are told when too many ask at once.

The surprise: gradio's page shows an English text of its own for the answer 503, whatever is said; so
what the page itself asks is refused with 400, and a program with 503, which tells it to try again.
"""

from typing import Any

import gradio as gr

from hf_resnet.app.words import LANGUAGES, best_language, say


def polite_when_full(blocks: gr.Blocks) -> None:
    """Have the queue refuse in the language of the person who is refused."""
    queue: Any = blocks._queue  # there is no other way to its answer
    push = queue.push

    async def politely(body: Any, request: Any, username: str | None) -> tuple[bool, Any, str]:
        done, said, state = await push(body=body, request=request, username=username)
        if state != "queue_full":
            return done, said, state
        is_page = blocks.fns[body.fn_index].api_visibility == "private"
        text = say(_language(body, request), "busy")
        return False, text, "error" if is_page else "queue_full"

    queue.push = politely


def _language(body: Any, request: Any) -> str:
    """That of the page, which is the last of what it sends; else what the program accepts."""
    last = body.data[-1] if body.data else None
    if isinstance(last, str) and last in LANGUAGES:
        return last
    return best_language(request.headers.get("accept-language", ""))
