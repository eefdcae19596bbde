"""The tabs of the lab: in each three sentences, what to choose, and what was found.

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

from hf_resnet.app import lab_chart
from hf_resnet.app import lab_drawing as drawing
from hf_resnet.app.lab_measured import Measured
from hf_resnet.app.lab_words import say
from hf_resnet.app.lab_work import MOST_LEVELS, MOST_SEED, STEPS, Bench
from hf_resnet.app.spoken import Spoken, html
from hf_resnet.app.uploads import need, path_of, refusal, told
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


class Tabs:
    """Builds them where it is made to."""

    def __init__(self, around: Around) -> None:
        self.bench = around.bench
        self.around = around
        self.spoken = around.spoken

    def build(self, measured: Measured) -> None:
        builders: dict[str, Callable[[], None]] = {
            "layers": self._layers,
            "maps": self._maps,
            "gradcam": self._gradcam,
            "ideal": self._ideal,
            "fool": self._fool,
            "degrade": lambda: self._degrade(measured),
        }
        with gr.Tabs():
            for key, build in builders.items():
                tab = gr.Tab(self._first(f"tab_{key}"), id=key)
                with self.spoken.said(tab, label=self._text(f"tab_{key}")):
                    self.spoken.html(self._sentences(key))
                    build()

    def _first(self, key: str) -> str:
        return say(self.spoken.language, key)

    @staticmethod
    def _text(key: str) -> Callable[[str], str]:
        return lambda lang: say(lang, key)

    @staticmethod
    def _sentences(tab: str) -> Callable[[str], str]:
        return lambda lang: drawing.sentences(lang, tab)

    def _labelled(self, component: Any, key: str) -> Any:
        return self.spoken.said(component, label=self._text(key))

    def _button(self, key: str) -> Any:
        button = gr.Button(self._first(key), variant="primary", elem_id=key.replace("_", "-"))
        return self.spoken.said(button, value=self._text(key))

    def _result(self, name: str) -> Any:
        """An empty place for what is found; another network or picture empties it again."""
        return html(drawing.waiting(self.spoken.language), elem_id=f"{name}-found")

    def _emptied(self, result: Any, *sources: Any) -> None:
        """Take away what was made of another network or picture. A component says that it changed when
        only its label did, so what is shown is asked for what it was made of."""

        def emptied(shown: Any, *given: Any) -> Any:
            *made_of, language = given
            is_current = not shown or shown == _key(*made_of)
            return gr.skip() if is_current else drawing.waiting(known(language))

        for source in sources:
            source.change(
                emptied,
                [result, *sources, self.around.switch],
                result,
                js=OF,
                queue=False,
                preprocess=False,
                show_progress="hidden",
                api_visibility="private",
            )

    def _again(self, function: Any, inputs: list[Any], result: Any) -> None:
        """In another language, where there is something to say anew."""

        def again(shown: Any, *given: Any) -> Any:
            return function(*given) if shown else drawing.waiting(known(given[-1]))

        worked([self.around.switch.change], again, [result, *inputs], result, js=OF)

    def _layers(self) -> None:
        around = self.around
        depths = self._depths
        depth = gr.Radio(depths(self.spoken.language), value="2", label=self._first("depth"))
        depth.elem_id = "depth"
        self.spoken.said(depth, label=self._text("depth"), choices=depths)
        result = html("", elem_id="layers-found")
        events = [around.arrived, around.network.change, depth.change, around.switch.change]
        worked(events, self.layers, [around.network, depth, around.switch], result)

    @staticmethod
    def _depths(language: str) -> Any:
        return [(say(language, f"depth_{key}"), key) for key in drawing.DEPTHS]

    def layers(self, name: Any, depth: Any, language: Any) -> str:
        """The layer table of the network."""
        language = known(language)
        told(language, self.bench.open, name)
        depth = depth if isinstance(depth, str) and depth in drawing.DEPTHS else "2"
        anatomy, picture = told(language, self.bench.anatomy, name)
        return drawing.layers(language, name, anatomy, depth, picture)

    def _maps(self) -> None:
        around = self.around
        number = gr.Slider(1, 2, value=1, step=1, label=self._first("layer"), elem_id="layer")
        self._labelled(number, "layer")
        result = self._result("maps")
        inputs = [around.network, around.picture, number, around.switch]
        events = [around.picture.change, around.network.change, number.input, around.switch.change]
        worked(events, self.maps, inputs, result)

        def count(name: Any, language: Any) -> Any:
            told(known(language), self.bench.open, name)
            return gr.update(maximum=len(told(known(language), self.bench.layers, name)))

        events = [around.arrived, around.network.change]
        worked(events, count, [around.network, around.switch], number, show_progress="hidden")

    def maps(self, name: Any, given: Any, number: Any, language: Any) -> str:
        """The maps of a layer; of the last where the network has fewer."""
        language = known(language)
        if not given:
            return drawing.waiting(language)
        told(language, self.bench.open, name)
        path = path_of(given, self.around.uploads, language)
        count = len(told(language, self.bench.layers, name))
        number = min(max(_whole(number, 1), 1), count)
        found = told(language, self.bench.maps, name, path, number)
        return drawing.maps(language, name, found, number, count)

    def _gradcam(self) -> None:
        around = self.around
        button, result = self._button("gradcam_ask"), self._result("gradcam")
        inputs = [around.network, around.picture, around.switch]
        worked([button.click], self.gradcam, inputs, result)
        self._again(self.gradcam, inputs, result)
        self._emptied(result, around.network, around.picture)

    def gradcam(self, name: Any, given: Any, language: Any) -> str:
        """Where the network found its likeliest classes."""
        language = known(language)
        path = self._path(name, given, language)
        seen, found = told(language, self.bench.where, name, path)
        return drawing.made_of(_key(name, given), drawing.glows(language, seen, found))

    def _ideal(self) -> None:
        around = self.around
        with gr.Row():
            label = gr.Dropdown(
                [], value=None, label=self._first("class"), elem_id="class", min_width=240
            )
            self._labelled(label, "class")
            steps = gr.Slider(
                *STEPS, value=20, step=5, label=self._first("steps"), elem_id="steps", min_width=240
            )
            self._labelled(steps, "steps")
            seed = gr.Number(
                0, precision=0, minimum=0, maximum=MOST_SEED, label=self._first("seed")
            )
            self._labelled(seed, "seed")
        button, result = self._button("ideal_ask"), self._result("ideal")
        inputs = [around.network, label, steps, seed, around.switch]
        worked([button.click], self.ideal, inputs, result, **LONG)
        self._again(self.ideal, inputs, result)
        self._emptied(result, around.network)

        def choices(name: Any, language: Any) -> Any:
            names = told(known(language), self.bench.open, name).labels.names
            return gr.update(choices=list(names), value=names[0])

        events = [around.arrived, around.network.change]
        worked(events, choices, [around.network, around.switch], label, show_progress="hidden")

    def ideal(
        self,
        name: Any,
        label: Any,
        steps: Any,
        seed: Any,
        language: Any,
        progress: gr.Progress = PROGRESS,
    ) -> str:
        """The picture that the network holds for a class most."""
        language = known(language)
        classifier = told(language, self.bench.open, name)
        if not isinstance(label, str) or not label:
            raise refusal(language, say(language, "choose_class"))
        index = told(language, classifier.labels.find, label)
        label = classifier.labels.names[index]
        found = told(
            language,
            self.bench.ideal,
            name,
            label,
            steps=_whole(steps, 20),
            seed=_whole(seed, 0),
            told=_spoken_progress(progress, language),
        )
        return drawing.made_of(_key(name), drawing.ideal(language, name, found, label))

    def _fool(self) -> None:
        around = self.around
        with gr.Row():
            target = gr.Dropdown(
                self._targets(self.bench.names[0], self.spoken.language),
                value="",
                label=self._first("target"),
                elem_id="target",
                min_width=300,
            )
            self._labelled(target, "target")
            attack = gr.Radio(
                self._attacks(self.spoken.language),
                value="pgd",
                label=self._first("attack"),
                min_width=300,
            )
            self.spoken.said(attack, label=self._text("attack"), choices=self._attacks)
        button = self._button("fool_ask")
        strength = gr.Slider(
            0, MOST_LEVELS, value=0, step=1, label=self._first("strength"), elem_id="strength"
        )
        self._labelled(strength, "strength")
        result = self._result("fool")
        inputs = [around.network, around.picture, target, attack, around.switch]
        with_strength = [*inputs[:-1], strength, around.switch]
        worked([button.click], self.fool, inputs, [result, strength], **LONG)
        worked([strength.input], self.fool_more, with_strength, result)
        self._again(self.fool_more, with_strength, result)
        self._emptied(result, around.network, around.picture)

        def choices(name: Any, language: Any) -> Any:
            language = known(language)
            told(language, self.bench.open, name)
            return gr.update(choices=self._targets(name, language), value="")

        events = [around.arrived, around.network.change, around.switch.change]
        worked(events, choices, [around.network, around.switch], target, show_progress="hidden")

    @staticmethod
    def _attacks(language: str) -> Any:
        return [(say(language, f"attack_{key}"), key) for key in ("pgd", "fgsm")]

    def _targets(self, name: str, language: str) -> list[tuple[str, str]]:
        names = self.bench.open(name).labels.names
        return [(say(language, "target_any"), ""), *((each, each) for each in names)]

    def fool(
        self,
        name: Any,
        given: Any,
        target: Any,
        attack: Any,
        language: Any,
        progress: gr.Progress = PROGRESS,
    ) -> tuple[str, Any]:
        """The smallest step that fools it, and where that leaves the slider."""
        found = self._fooled(name, given, target, attack, known(language), progress)
        drawn = self.fool_more(name, given, target, attack, found.levels, language)
        return drawn, gr.update(value=found.levels)

    def fool_more(
        self,
        name: Any,
        given: Any,
        target: Any,
        attack: Any,
        strength: Any,
        language: Any,
        progress: gr.Progress = PROGRESS,
    ) -> str:
        """The same change at another strength."""
        language = known(language)
        found = self._fooled(name, given, target, attack, language, progress)
        preprocess = self.bench.open(name).preprocess
        levels = min(max(_whole(strength, 0), 0), MOST_LEVELS)
        now = found
        if levels == found.levels:
            tried = found.levels if found.fooled else found.most_levels
            key = "fool_smallest" if found.fooled else "fool_none"
            line = say(language, key, network=name, levels=tried)
        else:
            now = told(language, self.bench.with_strength, name, found, levels)
            key = "fool_now_same" if now.after.label == found.before.label else "fool_now"
            line = say(language, key, network=name, levels=levels, answer=now.after.label)
        drawn = drawing.fooled(language, line, now, preprocess)
        return drawing.made_of(_key(name, given), drawn)

    def _fooled(
        self, name: Any, given: Any, target: Any, attack: Any, language: str, progress: gr.Progress
    ) -> Any:
        path = self._path(name, given, language)
        return told(
            language,
            self.bench.fooled,
            name,
            path,
            target=target if isinstance(target, str) and target else None,
            attack=attack if attack == "fgsm" else "pgd",
            told=_spoken_progress(progress, language),
        )

    def _degrade(self, measured: Measured) -> None:
        self.spoken.html(lambda lang: lab_chart.degrade(lang, measured), elem_id="degrade-found")

    def _path(self, name: Any, given: Any, language: str) -> str:
        """Where the picture lies, with a network that there is."""
        need(given, language)
        told(language, self.bench.open, name)
        return path_of(given, self.around.uploads, language)


def _key(name: Any, given: Any = None) -> str:
    """What a network and a picture are told by in the page."""
    path = given.get("path") if isinstance(given, dict) else None
    return hashlib.blake2b(f"{name} {path}".encode(errors="replace"), digest_size=8).hexdigest()


def _whole(value: Any, otherwise: int) -> int:
    """A whole number, whatever a client sends for one."""
    is_number = isinstance(value, int | float) and abs(value) < 1e9
    return int(value) if is_number else otherwise


def _spoken_progress(progress: gr.Progress, language: str) -> Told:
    def told_of(done: int, total: int | None) -> None:
        key = "working" if total else "working_open"
        progress((done, total), desc=say(language, key, done=done, total=total), unit="")

    return told_of
