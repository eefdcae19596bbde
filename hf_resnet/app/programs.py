"""What a program is offered: one call, over plain HTTP, by gradio_client, and as an MCP tool.

The surprise: gradio serves no MCP where the package mcp is missing, and says so only by an error; so
it is looked for first.
"""

import importlib.util
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app.answer import TOP, Desk
from hf_resnet.app.uploads import need, path_of, told

MCP = "mcp"
TOOL = (
    "What is in a picture: the likeliest classes, likeliest first, each with its probability. "
    "picture: the picture itself as data:image/jpeg;base64,..., or the address at which it was "
    "uploaded to this page; other addresses are not opened. top: how many classes."
)


def has_mcp() -> bool:
    """Whether the page can be a tool of language models."""
    return importlib.util.find_spec(MCP) is not None


class Programs:
    """The call that programs make of a desk."""

    def __init__(self, desk: Desk, uploads: Path) -> None:
        self.desk = desk
        self.uploads = uploads

    def build(self, picture: Any, *, at_once: int) -> None:
        """Its button and its answer are not on the page; the picture is the page's component."""
        top = gr.Number(TOP, precision=0, visible=False, label="top")
        asked, answer = gr.Button(visible=False), gr.JSON(visible=False, label="answer")
        asked.click(
            self.classify,
            [picture, top],
            answer,
            api_name="classify",
            api_description=TOOL,
            preprocess=False,
            concurrency_limit=at_once,
        )

    def classify(self, picture: Any, top: int = TOP) -> list[dict[str, Any]]:
        """The likeliest classes: [{"label": ..., "probability": ...}, ...]."""
        need(picture, "en")
        most = len(self.desk.labels)
        count = int(min(max(top, 1), most)) if isinstance(top, int | float) else TOP
        look = told("en", self.desk.look, path_of(picture, self.uploads, "en"), top=count)
        return [{"label": each.label, "probability": each.probability} for each in look.answers]
