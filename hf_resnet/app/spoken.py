"""Components whose texts change with the language.

Each stands in a list with the functions that write its texts, so that one event writes them all anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from hf_resnet.app.words import LANGUAGES, say

Text = Callable[[str], str]


@dataclass
class Spoken:
    """What is said on a page, and in which language it is said first."""

    language: str
    texts: list[tuple[Any, dict[str, Text]]] = field(default_factory=list)

    def first(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def said(self, component: Any, **texts: Text) -> Any:
        """The component, whose texts are written anew when the language changes."""
        self.texts.append((component, texts))
        return component

    def tab(self, key: str) -> Any:
        return self.said(gr.Tab(self.first(key), id=key), label=lambda lang: say(lang, key))

    def button(self, key: str, **options: Any) -> Any:
        button = gr.Button(self.first(key), **options)
        return self.said(button, value=lambda lang: say(lang, key))

    def switch(self) -> Any:
        """What a person changes the language with."""
        return gr.Radio(
            [(name, key) for key, name in LANGUAGES.items()],
            value=self.language,
            label=" · ".join(say(key, "language") for key in LANGUAGES),
            show_label=False,
            container=False,
            elem_id="language",
        )

    def picture(self, **options: Any) -> Any:
        """Where a person puts a picture; options are gr.Image's."""
        picture = gr.Image(
            label=self.first("picture"),
            placeholder=self.first("picture_hint"),
            sources=["upload", "clipboard", "webcam"],
            type="filepath",
            buttons=[],
            elem_id="picture",
            **options,
        )
        return self.said(
            picture,
            label=lambda lang: say(lang, "picture"),
            placeholder=lambda lang: say(lang, "picture_hint"),
        )

    def html(self, text: Text, **options: Any) -> Any:
        """A part that is drawn as HTML, in any language."""
        return self.said(html(text(self.language), **options), value=text)

    def in_language(self, language: str) -> list[Any]:
        """An update of every component, in order."""
        return [
            {**gr.update(), **{name: text(language) for name, text in texts.items()}}
            for _, texts in self.texts
        ]


def html(inner: str, **options: Any) -> Any:
    return gr.HTML(inner, elem_classes="plain", **options)


def private(
    event: Any, function: Any, inputs: Any, outputs: Any, *, at_once: int | None = None
) -> None:
    """An event of the page alone, with files as they were uploaded."""
    event(
        function,
        inputs,
        outputs,
        api_visibility="private",
        preprocess=False,
        concurrency_limit=at_once or "default",
        show_progress="minimal",
    )
