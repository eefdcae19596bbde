"""Room for uploads: a page that anybody can open must not fill a disk.

Knows nothing of gradio, so that it may be imported before that. The surprise: an upload is refused
before a byte of it is read, since gradio writes what it reads; those that come at the same time may go
beyond the bound by one file each.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse

from hf_resnet.app.words import LANGUAGES, say

MOST_BYTES = 2 * 2**30
"""Of all uploads together; they are deleted after an hour or two, and then there is room again."""


class Bounded:
    """An ASGI application in front of another, which refuses uploads while the folder is full."""

    def __init__(self, app: Any, uploads: Path) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_upload = scope["type"] == "http" and scope["path"].rstrip("/").endswith("/upload")
        if is_upload and await asyncio.to_thread(size_of, self.uploads) > MOST_BYTES:
            text = " ".join(say(language, "no_room") for language in LANGUAGES)
            await PlainTextResponse(text, status_code=507)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def size_of(folder: Path) -> int:
    """The bytes in the folder; what goes away meanwhile is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except FileNotFoundError:
                continue  # it was deleted, being old
    return total
