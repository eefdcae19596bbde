"""What a client hands in, looked at before anything is opened; and what it is told if it may not be.

Knows gradio, and nothing of the page. The surprise: gradio checks what is marked as a file, fetches
what is marked as a file at an address, and passes on as it is what has no mark at all.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app.words import LANGUAGES, reason, say, trouble
from hf_resnet.errors import HfResnetError, PictureError


def uploads_only(component: Any, uploads: Path) -> Any:
    """The component, which fetches nothing: gradio would open an address that a client names. The
    address at which a page of ours shows an upload stands for the file, and is not opened either."""
    move = component.async_move_resource_to_block_cache

    async def uploaded(place: Any) -> Any:
        if "://" not in str(place):
            return await move(place)
        _, ours, path = str(place).partition("/gradio_api/file=")
        if not ours or not _is_below(path, uploads):
            raise gr.Error(
                " ".join(say(key, "no_links") for key in LANGUAGES), print_exception=False
            )
        return await move(path)

    component.async_move_resource_to_block_cache = uploaded
    return component


def path_of(given: Any, uploads: Path, language: str) -> str:
    """Where an uploaded file lies. Gradio looks at what is marked as a file, and a hostile client
    leaves the mark out; so whatever is not below the folder of uploads is refused here."""
    path = given.get("path") if isinstance(given, dict) else None
    if not isinstance(path, str) or not _is_below(path, uploads):
        raise refusal(language, say(language, "no_links"))
    return path


def told(language: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What the function gives; an error that a person can meet is shown in the page."""
    try:
        return function(*given, **named)
    except PictureError as exc:
        text = say(language, "bad_picture", reason=reason(language, str(exc)))
        raise refusal(language, text) from exc
    except HfResnetError as exc:
        raise refusal(language, trouble(language, exc)) from exc


def need(given: Any, language: str) -> None:
    if not given:
        raise refusal(language, say(language, "no_picture"))


def refusal(language: str, text: str) -> gr.Error:
    """What a person is shown; it is no fault of the program, so no traceback is written."""
    return gr.Error(text, title=say(language, "error"), print_exception=False)


def _is_below(path: str, folder: Path) -> bool:
    """Whether this is the path of something in the folder, whatever links and dots it holds."""
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a path too long, with a zero in it, in a circle
        return False
