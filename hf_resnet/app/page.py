"""The page: gradio blocks around a Desk; the tabs have files of their own.

Gradio hands over where an uploaded file lies, and neither opens nor decodes it (preprocess=False):
that is for `images` alone. What was not uploaded is refused (see uploads), and so are the addresses
that gradio would fetch instead.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app import drawing
from hf_resnet.app.answer import LIMITS, Desk
from hf_resnet.app.busy import polite_when_full
from hf_resnet.app.examples import Example
from hf_resnet.app.keeping import Keeper
from hf_resnet.app.many import ManyPictures
from hf_resnet.app.one import OnePicture
from hf_resnet.app.programs import Programs, has_mcp
from hf_resnet.app.spoken import Spoken, html
from hf_resnet.app.words import LANGUAGES, best_language
from hf_resnet.config import PageLanguage

AT_ONCE = 16
MOST_WAITING = 256
KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Offer:
    """What is on the page beside the model's answers."""

    language: PageLanguage = "auto"
    keeper: Keeper | None = None
    examples: tuple[Example, ...] = ()


class Page:
    """The blocks of one desk."""

    def __init__(self, desk: Desk, uploads: Path, offer: Offer) -> None:
        self.desk = desk
        self.uploads = uploads
        self.offer = offer
        self.spoken = Spoken("en" if offer.language == "auto" else offer.language)
        self.blocks = gr.Blocks(
            title="hf_resnet", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
        )
        with self.blocks:
            self._build()
        self.blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=AT_ONCE)
        polite_when_full(self.blocks)

    def _build(self) -> None:
        switch = self._build_top()
        around = (self.desk, self.uploads, self.spoken, switch)
        with gr.Tabs(overflow_behavior="wrap"):  # a menu folds, for good, what is wide for a moment
            with self.spoken.tab("tab_one"):
                picture = OnePicture(*around).build(self.offer.keeper, list(self.offer.examples))
                Programs(self.desk, self.uploads).build(picture, at_once=AT_ONCE)
            with self.spoken.tab("tab_many"):
                ManyPictures(*around).build()
            with self.spoken.tab("tab_about"):
                api = self._build_about()
        self._build_switch(switch, api)

    def _build_top(self) -> Any:
        """The title, and the switch between languages, which is returned."""
        names = self.desk.labels.names
        with gr.Row(elem_id="top"):
            self.spoken.html(lambda lang: drawing.intro(lang, names))
            return self.spoken.switch()

    def _build_about(self) -> Any:
        keeps, limit = self.offer.keeper is not None, self.desk.threshold
        self.spoken.html(
            lambda lang: drawing.about(lang, self.desk.facts, threshold=limit, keeps=keeps)
        )
        return html(self._programs("http://127.0.0.1:7860", self.spoken.language), elem_id="api")

    @staticmethod
    def _programs(address: str, language: str) -> str:
        return drawing.api(language, address, mcp=has_mcp())

    def _build_switch(self, switch: Any, api: Any) -> None:
        outputs = [*(component for component, _ in self.spoken.texts), api]

        def changed(language: str, request: gr.Request) -> list[Any]:
            known = language if language in LANGUAGES else "en"
            return [*self.spoken.in_language(known), self._programs(_address(request), known)]

        def arrived(language: str, request: gr.Request) -> list[Any]:
            if self.offer.language == "auto":
                language = best_language(request.headers.get("accept-language", ""))
            return [language, *changed(language, request)]

        options: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        options["api_visibility"] = "private"
        switch.change(changed, switch, outputs, **options)
        names = naming([each.label for each in self.offer.examples])
        self.blocks.load(arrived, switch, [switch, *outputs], js=names, **options)


def naming(labels: list[str]) -> str:
    """Gives the thumbnails their names, for those who have them read; gradio gives them none."""
    names = json.dumps(labels).replace("<", "\\u003c")
    return (
        f"(...all) => {{ const names = {names}; const name = () => "
        "document.querySelectorAll('#examples img').forEach((image, n) => { "
        "if (image.alt !== names[n]) image.alt = names[n]; }); "
        "new MutationObserver(name).observe(document.body, {childList: true, subtree: true}); "
        "name(); return all; }"
    )


def max_file_size() -> int:
    """One byte more than is read, so that the refusal is ours and says what is allowed."""
    return LIMITS.max_bytes + 2**20


def _address(request: gr.Request) -> str:
    """Where the page is, as the person who looks at it sees it."""
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "127.0.0.1:7860")
    scheme = request.headers.get("x-forwarded-proto", "http").split(",")[0]
    return f"{scheme}://{host}"
