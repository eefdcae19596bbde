"""The tab of many pictures: a table of answers, and the same as CSV."""

import hashlib
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app import drawing
from hf_resnet.app.answer import MOST_FILES, Desk, FileAnswer, as_csv
from hf_resnet.app.spoken import Spoken, html, private
from hf_resnet.app.uploads import need, path_of, refusal, uploads_only
from hf_resnet.app.words import say


class ManyPictures:
    """Builds the tab where it is made; switch is the component that holds the language."""

    def __init__(self, desk: Desk, uploads: Path, spoken: Spoken, switch: Any) -> None:
        self.desk = desk
        self.uploads = uploads
        self.spoken = spoken
        self.switch = switch

    def build(self) -> None:
        files = gr.File(
            label=self.spoken.first("files", count=MOST_FILES),
            file_count="multiple",
            file_types=["image"],
            height=200,
            elem_id="files",
        )
        self.spoken.said(
            uploads_only(files, self.uploads),
            label=lambda lang: say(lang, "files", count=MOST_FILES),
        )
        go = self.spoken.button("look_all", variant="primary", elem_id="look-all")
        table = html("", elem_id="table")
        csv = gr.DownloadButton(self.spoken.first("csv"), visible=False, elem_id="csv")
        self.spoken.said(csv, label=lambda lang: say(lang, "csv"))

        found = gr.State([])

        def look_at_all(given: Any, language: str) -> tuple[Any, Any, Any]:
            rows = self._rows(given, language)
            text = as_csv(rows).encode()
            name = hashlib.blake2b(text, digest_size=12).hexdigest()
            place = Path(csv.GRADIO_CACHE, name)
            place.mkdir(parents=True, exist_ok=True)
            (place / "answers.csv").write_bytes(text)
            shown = drawing.table(language, rows)
            return shown, gr.update(value=str(place / "answers.csv"), visible=True), rows

        def forget() -> tuple[Any, Any, Any]:
            return "", gr.update(visible=False), []

        def drawn(rows: list[FileAnswer], language: str) -> str:
            return drawing.table(language, rows) if rows else ""

        private(go.click, look_at_all, [files, self.switch], [table, csv, found], at_once=2)
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        files.change(forget, None, [table, csv, found], **quiet)
        self.switch.change(drawn, [found, self.switch], table, **quiet)

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
