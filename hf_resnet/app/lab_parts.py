"""What the tabs of the lab are made of: buttons, places for results, and how events wait for each other.

Every event that uses a network goes through `worked`: one at a time, in one queue, its last input the
language. The surprise: what is shown is found again when the language changes, from what the bench
keeps, and the browser tells only whether something is shown, not the pictures themselves.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hf_resnet.app import lab_drawing as drawing
from hf_resnet.app.lab_words import say
from hf_resnet.app.lab_work import Bench
from hf_resnet.app.spoken import Spoken, html
from hf_resnet.app.uploads import need, path_of, told
from hf_resnet.app.words import LANGUAGES
from hf_resnet.progress import Told

PROGRESS = gr.Progress()
LONG = {"show_progress": "full", "scroll_to_output": True}
OF = """(shown, ...rest) =>
    [(String(shown ?? "").match(/data-of="(\\w+)"/) ?? ["", ""])[1], ...rest]"""
"""In the browser: of what is shown, only what it was made of goes back to the server."""


class Later:
    """Events that follow another one, which is not there yet: all that a page does when it is opened
    waits until its language is known."""

    def __init__(self) -> None:
        self._events: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *given: Any, **named: Any) -> None:
        self._events.append((given, named))

    def follow(self, event: Any) -> None:
        for given, named in self._events:
            event.then(*given, **named)


@dataclass(frozen=True)
class Around:
    """What every tab needs: the bench, and the components that stand above the tabs."""

    bench: Bench
    uploads: Path
    spoken: Spoken
    switch: Any
    network: Any
    picture: Any
    arrived: Later


def known(language: Any) -> str:
    """A language of the page, whatever came in."""
    return language if isinstance(language, str) and language in LANGUAGES else "en"


def worked(events: Sequence[Any], function: Any, inputs: Any, outputs: Any, **options: Any) -> None:
    """An event that uses a network, with files as they were uploaded; all wait in one queue."""
    for event in events:
        event(
            function,
            inputs,
            outputs,
            api_visibility="private",
            preprocess=False,
            concurrency_id="network",
            concurrency_limit=1,
            trigger_mode="always_last",
            **{"show_progress": "minimal", **options},
        )


@dataclass(frozen=True)
class Parts:
    """Makes them, in the language of the page."""

    around: Around

    @property
    def bench(self) -> Bench:
        return self.around.bench

    @property
    def spoken(self) -> Spoken:
        return self.around.spoken

    def first(self, key: str) -> str:
        return say(self.spoken.language, key)

    @staticmethod
    def text(key: str) -> Callable[[str], str]:
        return lambda lang: say(lang, key)

    @staticmethod
    def sentences(tab: str) -> Callable[[str], str]:
        return lambda lang: drawing.sentences(lang, tab)

    def labelled(self, component: Any, key: str) -> Any:
        return self.spoken.said(component, label=self.text(key))

    def button(self, key: str) -> Any:
        button = gr.Button(self.first(key), variant="primary", elem_id=key.replace("_", "-"))
        return self.spoken.said(button, value=self.text(key))

    def result(self, name: str) -> Any:
        """An empty place for what is found; another network or picture empties it again."""
        return html(drawing.waiting(self.spoken.language), elem_id=f"{name}-found")

    def emptied(self, result: Any, *sources: Any) -> None:
        """Take away what was made of another network or picture. A component says that it changed when
        only its label did, so what is shown is asked for what it was made of."""

        def without(shown: Any, *given: Any) -> Any:
            *made_of, language = given
            is_current = not shown or shown == key_of(*made_of)
            return gr.skip() if is_current else drawing.waiting(known(language))

        for source in sources:
            source.change(
                without,
                [result, *sources, self.around.switch],
                result,
                js=OF,
                queue=False,
                preprocess=False,
                show_progress="hidden",
                api_visibility="private",
            )

    def again(self, function: Any, inputs: list[Any], result: Any) -> None:
        """In another language, where there is something to say anew."""

        def anew(shown: Any, *given: Any) -> Any:
            return function(*given) if shown else drawing.waiting(known(given[-1]))

        worked([self.around.switch.change], anew, [result, *inputs], result, js=OF)

    def path(self, name: Any, given: Any, language: str) -> str:
        """Where the picture lies, with a network that there is."""
        need(given, language)
        told(language, self.bench.open, name)
        return path_of(given, self.around.uploads, language)


def key_of(name: Any, given: Any = None) -> str:
    """What a network and a picture are told by in the page."""
    path = given.get("path") if isinstance(given, dict) else None
    return hashlib.blake2b(f"{name} {path}".encode(errors="replace"), digest_size=8).hexdigest()


def whole(value: Any, otherwise: int) -> int:
    """A whole number, whatever a client sends for one."""
    is_number = isinstance(value, int | float) and abs(value) < 1e9
    return int(value) if is_number else otherwise


def spoken_progress(progress: gr.Progress, language: str) -> Told:
    def told_of(done: int, total: int | None) -> None:
        key = "working" if total else "working_open"
        progress((done, total), desc=say(language, key, done=done, total=total), unit="")

    return told_of
