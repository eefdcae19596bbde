"""The page: gradio blocks around a Desk.

Gradio hands over where an uploaded file lies, and neither opens nor decodes it (preprocess=False):
that is for `images` alone. What was not uploaded is refused here, and so are the addresses that
gradio would fetch instead. Texts change with the language switch, so every component that shows
one stands in a list with the function that writes it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app import drawing
from hf_resnet.app.answer import LIMITS, MOST_FILES, TOP, Desk, FileAnswer, as_csv
from hf_resnet.app.keeping import keep
from hf_resnet.app.uploads import need, path_of, refusal, told, uploads_only
from hf_resnet.app.words import LANGUAGES, best_language, reason, say
from hf_resnet.config import PageLanguage
from hf_resnet.errors import PictureError

AT_ONCE = 16
MOST_WAITING = 256
KEPT_SECONDS = 3600
Text = Callable[[str], str]


class Page:
    """The blocks of one desk, and what is said in which of them."""

    def __init__(
        self, desk: Desk, uploads: Path, *, language: PageLanguage, keep_wrong: Path | None
    ) -> None:
        self.desk = desk
        self.uploads = uploads
        self.keep_wrong = keep_wrong
        self.language = language
        self._texts: list[tuple[Any, dict[str, Text]]] = []
        self.blocks = gr.Blocks(
            title="hf_resnet", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
        )
        with self.blocks:
            self._build()
        self.blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=AT_ONCE)

    @property
    def first_language(self) -> str:
        return "en" if self.language == "auto" else self.language

    def _said(self, component: Any, **texts: Text) -> Any:
        """The component, whose texts are written anew when the language changes."""
        self._texts.append((component, texts))
        return component

    def _first(self, key: str, **values: object) -> str:
        return say(self.first_language, key, **values)

    def _build(self) -> None:
        names, start = self.desk.classifier.labels.names, self.first_language
        with gr.Row(elem_id="top"):
            self._said(
                _html(drawing.intro(start, names)), value=lambda lang: drawing.intro(lang, names)
            )
            self.switch = gr.Radio(
                [(name, key) for key, name in LANGUAGES.items()],
                value=start,
                label=" · ".join(say(key, "language") for key in LANGUAGES),
                show_label=False,
                container=False,
                elem_id="language",
            )
        with gr.Tabs():
            with self._tab("tab_one"):
                self._build_one()
            with self._tab("tab_many"):
                self._build_many()
            with self._tab("tab_about"):
                self._build_about()
        self._build_switch()

    def _tab(self, key: str) -> Any:
        return self._said(gr.Tab(self._first(key), id=key), label=lambda lang: say(lang, key))

    def _button(self, key: str, **options: Any) -> Any:
        button = gr.Button(self._first(key), **options)
        return self._said(button, value=lambda lang: say(lang, key))

    def _build_one(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                picture = uploads_only(
                    gr.Image(
                        label=self._first("picture"),
                        placeholder=self._first("picture_hint"),
                        sources=["upload", "clipboard", "webcam"],
                        type="filepath",
                        height=380,
                        buttons=[],
                        elem_id="picture",
                    )
                )
                self._said(
                    picture,
                    label=lambda lang: say(lang, "picture"),
                    placeholder=lambda lang: say(lang, "picture_hint"),
                )
            with gr.Column(min_width=300):
                result = _html(drawing.nothing_yet(self.first_language), elem_id="result")
                with gr.Column(visible=False) as more:
                    where = self._button("where", variant="secondary", elem_id="where")
                    looked = _html("", elem_id="looked")
                    if self.keep_wrong is not None:
                        self._build_wrong(picture)
        shown = [result, looked, more]
        _private(picture.change, self._look, [picture, self.switch], shown)
        _private(self.switch.change, self._look, [picture, self.switch], shown)
        _private(where.click, self._where, [picture, self.switch], looked)
        self._build_api(picture)

    def _build_wrong(self, picture: Any) -> None:
        panel = gr.Accordion(self._first("wrong"), open=False, elem_id="wrong")
        with self._said(panel, label=lambda lang: say(lang, "wrong")):
            start = drawing.note(self.first_language, self._first("wrong_text"))
            told = self._said(
                _html(start, elem_id="kept"),
                value=lambda lang: drawing.note(lang, say(lang, "wrong_text")),
            )
            right = gr.Dropdown(
                list(self.desk.classifier.labels.names),
                value=None,
                label=self._first("right_label"),
                elem_id="right-label",
            )
            self._said(right, label=lambda lang: say(lang, "right_label"))
            button = self._button("keep", variant="primary", elem_id="keep")
        _private(button.click, self._keep, [picture, right, self.switch], told)

    def _build_api(self, picture: Any) -> None:
        """What a program calls; its button and its answer are not on the page."""
        top = gr.Number(TOP, precision=0, visible=False, label="top")
        asked, answer = gr.Button(visible=False), gr.JSON(visible=False, label="answer")
        asked.click(
            self.classify,
            [picture, top],
            answer,
            api_name="classify",
            api_description="The likeliest classes of a picture, likeliest first.",
            preprocess=False,
            concurrency_limit=AT_ONCE,
        )

    def _build_many(self) -> None:
        files = uploads_only(
            gr.File(
                label=self._first("files", count=MOST_FILES),
                file_count="multiple",
                file_types=["image"],
                height=200,
                elem_id="files",
            )
        )
        self._said(files, label=lambda lang: say(lang, "files", count=MOST_FILES))
        go = self._button("look_all", variant="primary", elem_id="look-all")
        table = _html("", elem_id="table")
        csv = gr.DownloadButton(self._first("csv"), visible=False, elem_id="csv")
        self._said(csv, label=lambda lang: say(lang, "csv"))

        def look_at_all(given: Any, language: str) -> tuple[Any, Any]:
            rows = self._rows(given, language)
            text = as_csv(rows).encode()
            name = hashlib.blake2b(text, digest_size=12).hexdigest()
            place = Path(csv.GRADIO_CACHE, name)
            place.mkdir(parents=True, exist_ok=True)
            (place / "answers.csv").write_bytes(text)
            shown = drawing.table(language, rows)
            return shown, gr.update(value=str(place / "answers.csv"), visible=True)

        _private(go.click, look_at_all, [files, self.switch], [table, csv], at_once=2)

    def _build_about(self) -> None:
        def about(language: str) -> str:
            keeps, threshold = self.keep_wrong is not None, self.desk.threshold
            return drawing.about(language, self.desk.classifier, threshold=threshold, keeps=keeps)

        self._said(_html(about(self.first_language)), value=about)
        start = self.first_language
        self.api_help = _html(drawing.api(start, "http://127.0.0.1:7860"), elem_id="api")

    def _build_switch(self) -> None:
        components = [component for component, _ in self._texts]
        outputs = [*components, self.api_help]

        def changed(language: str, request: gr.Request) -> list[Any]:
            known = language if language in LANGUAGES else "en"
            updates = [
                {**gr.update(), **{name: text(known) for name, text in texts.items()}}
                for _, texts in self._texts
            ]
            return [*updates, drawing.api(known, _address(request))]

        def arrived(language: str, request: gr.Request) -> list[Any]:
            if self.language == "auto":
                language = best_language(request.headers.get("accept-language", ""))
            return [language, *changed(language, request)]

        # the document says its language too, for those who have it read to them
        tell = "(...all) => { document.documentElement.lang = all[0]; return all; }"
        options: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        options["api_visibility"] = "private"
        self.switch.change(changed, self.switch, outputs, js=tell, **options)
        self.blocks.load(arrived, self.switch, [self.switch, *outputs], **options)

    def _look(self, given: Any, language: str) -> tuple[str, str, Any]:
        """The answer, no heat map yet, and whether there is anything more to ask."""
        if given is None:
            return drawing.nothing_yet(language), "", gr.update(visible=False)
        try:
            look = self.desk.look(path_of(given, self.uploads, language))
        except PictureError as exc:
            text = say(language, "bad_picture", reason=reason(language, str(exc)))
            return drawing.refused(language, text), "", gr.update(visible=False)
        return drawing.bars(language, look), "", gr.update(visible=True)

    def _where(self, given: Any, language: str) -> str:
        need(given, language)
        return drawing.looked(
            language, told(language, self.desk.where, path_of(given, self.uploads, language))
        )

    def _keep(self, given: Any, label: str | None, language: str) -> str:
        need(given, language)
        if not label:
            raise refusal(language, say(language, "choose_label"))
        assert self.keep_wrong is not None  # noqa: S101  else there is no such button
        folder, labels = self.keep_wrong, self.desk.classifier.labels
        picture = told(language, self.desk.open, path_of(given, self.uploads, language))
        told(language, keep, picture, label, labels=labels, folder=folder)
        count = sum(1 for _ in folder.glob("*/*.png"))
        return drawing.note(language, say(language, "kept", label=label, count=count))

    def _rows(self, given: Any, language: str) -> list[FileAnswer]:
        need(given, language)
        files = given if isinstance(given, list) else [given]
        if len(files) > MOST_FILES:
            text = say(language, "too_many", got=len(files), count=MOST_FILES)
            raise refusal(language, text)
        paths = [path_of(file, self.uploads, language) for file in files]
        names = [str(file.get("orig_name") or file["path"]) for file in files]
        return self.desk.look_at_all(
            [(Path(name).name, path) for name, path in zip(names, paths, strict=True)]
        )

    def classify(self, picture: Any, top: int = TOP) -> list[dict[str, Any]]:
        """The likeliest classes: [{"label": ..., "probability": ...}, ...]."""
        need(picture, "en")
        most = len(self.desk.classifier.labels)
        count = int(min(max(top, 1), most)) if isinstance(top, int | float) else TOP
        look = told("en", self.desk.look, path_of(picture, self.uploads, "en"), top=count)
        return [{"label": each.label, "probability": each.probability} for each in look.answers]


def max_file_size() -> int:
    """One byte more than is read, so that the refusal is ours and says what is allowed."""
    return LIMITS.max_bytes + 2**20


def _html(inner: str, **options: Any) -> Any:
    return gr.HTML(inner, elem_classes="plain", **options)


def _private(
    event: Any, function: Any, inputs: Any, outputs: Any, *, at_once: int = AT_ONCE
) -> None:
    """An event of the page alone, with files as they were uploaded."""
    event(
        function,
        inputs,
        outputs,
        api_visibility="private",
        preprocess=False,
        concurrency_limit=at_once,
        show_progress="minimal",
    )


def _address(request: gr.Request) -> str:
    """Where the page is, as the person who looks at it sees it."""
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "127.0.0.1:7860")
    scheme = request.headers.get("x-forwarded-proto", "http").split(",")[0]
    return f"{scheme}://{host}"
