"""The tab of one picture: the answer, where it looked, examples to try, and what it really is."""

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from hf_resnet.app import drawing
from hf_resnet.app.answer import Desk
from hf_resnet.app.examples import Example
from hf_resnet.app.keeping import Keeper
from hf_resnet.app.spoken import Spoken, html, private
from hf_resnet.app.uploads import need, path_of, refusal, told, uploads_only
from hf_resnet.app.words import reason, say
from hf_resnet.errors import PictureError
from hf_resnet.images import open_picture


class OnePicture:
    """Builds the tab where it is made; switch is the component that holds the language."""

    def __init__(self, desk: Desk, uploads: Path, spoken: Spoken, switch: Any) -> None:
        self.desk = desk
        self.uploads = uploads
        self.spoken = spoken
        self.switch = switch

    def build(self, keeper: Keeper | None, examples: list[Example]) -> Any:
        """The component that holds the picture."""
        with gr.Row(equal_height=False, elem_id="one"):
            with gr.Column(min_width=300):
                picture = self._picture()
                if examples:
                    self._examples(picture, examples)
            with gr.Column(min_width=300):
                result = html(drawing.nothing_yet(self.spoken.language), elem_id="result")
                with gr.Column(visible=False) as more:
                    where = self.spoken.button("where", variant="secondary", elem_id="where")
                    looked = html("", elem_id="looked")
                    if keeper is not None:
                        self._wrong(picture, keeper)
        given, shown = [picture, self.switch], [result, looked, more]
        private(picture.change, self.look, given, shown)
        private(self.switch.change, self.look, given, shown)
        private(where.click, self.where, given, looked)
        return picture

    def _picture(self) -> Any:
        # png: an example is shown as it is, to the last bit
        return uploads_only(self.spoken.picture(height=380, format="png"), self.uploads)

    def _examples(self, picture: Any, examples: list[Example]) -> None:
        """Thumbnails; one that is chosen goes the way of an uploaded picture."""
        # gradio shows no other file outside the working folder
        gr.set_static_paths([each.path for each in examples])
        shown = gr.Dataset(
            label=self.spoken.first("examples"),
            components=[gr.Image(render=False, type="filepath")],
            samples=[[str(each.path)] for each in examples],
            type="index",
            elem_id="examples",
        )
        self.spoken.said(shown, label=lambda lang: say(lang, "examples"))

        def chosen(number: Any) -> Image.Image:
            if number not in range(len(examples)):
                raise refusal(self.spoken.language, self.spoken.first("no_picture"))
            return open_picture(examples[number].path)

        shown.click(
            chosen, shown, picture, api_visibility="private", show_progress="hidden", queue=False
        )

    def _wrong(self, picture: Any, keeper: Keeper) -> None:
        panel = gr.Accordion(self.spoken.first("wrong"), open=False, elem_id="wrong")
        with self.spoken.said(panel, label=lambda lang: say(lang, "wrong")):
            told_ = self.spoken.html(
                lambda lang: drawing.note(lang, say(lang, "wrong_text")), elem_id="kept"
            )
            right = gr.Dropdown(
                list(self.desk.labels.names),
                value=None,
                label=self.spoken.first("right_label"),
                elem_id="right-label",
            )
            self.spoken.said(right, label=lambda lang: say(lang, "right_label"))
            button = self.spoken.button("keep", variant="primary", elem_id="keep")

        def kept(given: Any, label: str | None, language: str) -> str:
            need(given, language)
            if not label:
                raise refusal(language, say(language, "choose_label"))
            opened = told(language, self.desk.open, path_of(given, self.uploads, language))
            count = told(language, keeper, opened, label)
            return drawing.note(language, say(language, "kept", label=label, count=count))

        private(button.click, kept, [picture, right, self.switch], told_)

    def look(self, given: Any, language: str) -> tuple[str, str, Any]:
        """The answer, no heat map yet, and whether there is anything more to ask."""
        if given is None:
            return drawing.nothing_yet(language), "", gr.update(visible=False)
        try:
            look = self.desk.look(path_of(given, self.uploads, language))
        except PictureError as exc:
            text = say(language, "bad_picture", reason=reason(language, str(exc)))
            return drawing.refused(language, text), "", gr.update(visible=False)
        return drawing.bars(language, look), "", gr.update(visible=True)

    def where(self, given: Any, language: str) -> str:
        """The heat map."""
        need(given, language)
        path = path_of(given, self.uploads, language)
        return drawing.looked(language, told(language, self.desk.where, path))
