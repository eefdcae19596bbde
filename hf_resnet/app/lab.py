"""The lab: gradio blocks around a Bench; the tabs have a file of their own.

As on the classifier's page, gradio hands over where an uploaded file lies and does not open it, and
what was not uploaded is refused. All that uses a network waits in one queue and is done one at a time.
"""

import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import sklearn.datasets

from hf_resnet.app import lab_drawing as drawing
from hf_resnet.app.busy import polite_when_full
from hf_resnet.app.lab_measured import Measured
from hf_resnet.app.lab_parts import Around, Later, known, worked
from hf_resnet.app.lab_tabs import build_tabs
from hf_resnet.app.lab_words import say
from hf_resnet.app.lab_work import Bench
from hf_resnet.app.page import KEPT_SECONDS
from hf_resnet.app.spoken import Spoken, html
from hf_resnet.app.uploads import path_of, told, uploads_only
from hf_resnet.app.words import best_language, reason
from hf_resnet.config import PageLanguage
from hf_resnet.errors import PictureError

MOST_WAITING = 32
EXAMPLES = tuple(
    Path(sklearn.datasets.__file__).parent / "images" / name for name in ("flower.jpg", "china.jpg")
)
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Lab:
    """The blocks of one bench."""

    def __init__(
        self, bench: Bench, uploads: Path, measured: Measured, language: PageLanguage = "auto"
    ) -> None:
        self.bench = bench
        self.uploads = uploads
        self.language = language
        self.spoken = Spoken("en" if language == "auto" else language)
        self.blocks = gr.Blocks(
            title="hf_resnet", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
        )
        with self.blocks:
            self._build(measured)
        self.blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=1)
        polite_when_full(self.blocks)

    def _build(self, measured: Measured) -> None:
        switch = self._top()
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                picture = self._picture()
            with gr.Column(min_width=300):
                network = gr.Dropdown(
                    list(self.bench.names),
                    value=self.bench.names[0],
                    label=self._first("network"),
                    elem_id="network",
                )
                self.spoken.said(network, label=lambda lang: say(lang, "network"))
                note = html("", elem_id="about-network")
                answers = html("", elem_id="answers")
                self._examples(picture)
        arrived = Later()
        around = Around(self.bench, self.uploads, self.spoken, switch, network, picture, arrived)
        build_tabs(around, measured)
        worked([arrived, network.change, switch.change], self.about, [network, switch], note)
        given = [network, picture, switch]
        events = [arrived, picture.change, network.change, switch.change]
        worked(events, self.answers, given, answers)
        arrived.follow(self._switch(switch))

    def _first(self, key: str) -> str:
        return say(self.spoken.language, key)

    def _top(self) -> Any:
        """The title, and the switch between languages, which is returned."""
        with gr.Row(elem_id="top"):
            self.spoken.html(drawing.intro)
            return self.spoken.switch()

    def _picture(self) -> Any:
        return uploads_only(self.spoken.picture(height=300), self.uploads)

    def _examples(self, picture: Any) -> None:
        """Photos that come with scikit-learn; one that is chosen goes the way of an upload."""
        gr.set_static_paths(list(EXAMPLES))  # gradio shows no other file outside the working folder
        shown = gr.Dataset(
            label=self._first("examples"),
            components=[gr.Image(render=False, type="filepath")],
            samples=[[str(path)] for path in EXAMPLES],
            type="index",
            elem_id="examples",
        )
        self.spoken.said(shown, label=lambda lang: say(lang, "examples"))
        self.spoken.html(lambda lang: drawing.told(lang, say(lang, "credit")), elem_id="credit")

        def chosen(number: int) -> str:
            place = self.uploads / "examples"
            place.mkdir(exist_ok=True)
            return str(shutil.copy(EXAMPLES[number], place))

        shown.click(chosen, shown, picture, **QUIET)

    def about(self, name: Any, language: Any) -> str:
        """How many classes the network has, and whether it has learned anything."""
        language = known(language)
        classifier = told(language, self.bench.open, name)
        untrained = self.bench.is_untrained(name)
        return drawing.about_network(language, len(classifier.labels), untrained=untrained)

    def answers(self, name: Any, given: Any, language: Any) -> str:
        """What the network says of the picture, or why the picture cannot be used."""
        language = known(language)
        if not given:
            return drawing.told(language, say(language, "no_picture_yet"))
        told(language, self.bench.open, name)
        try:
            found = self.bench.answers(name, path_of(given, self.uploads, language))
        except PictureError as exc:
            text = say(language, "bad_picture", reason=reason(language, str(exc)))
            return drawing.told(language, text, warn=True)
        return drawing.answers(language, name, found)

    def _switch(self, switch: Any) -> Any:
        """The events that write all texts anew; that of opening the page is returned."""
        outputs = [component for component, _ in self.spoken.texts]

        def changed(language: Any) -> list[Any]:
            return self.spoken.in_language(known(language))

        def arrived(language: Any, request: gr.Request) -> list[Any]:
            if self.language == "auto":
                language = best_language(request.headers.get("accept-language", ""))
            return [language, *changed(language)]

        switch.change(changed, switch, outputs, **QUIET)
        return self.blocks.load(arrived, switch, [switch, *outputs], **QUIET)
