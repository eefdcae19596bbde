"""The tabs of the lab that make pictures: the ideal one of a class, and one that fools the network."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from hf_resnet.app import lab_drawing as drawing
from hf_resnet.app.lab_parts import (
    LONG,
    PROGRESS,
    Parts,
    key_of,
    known,
    spoken_progress,
    whole,
    worked,
)
from hf_resnet.app.lab_words import say
from hf_resnet.app.lab_work import MOST_LEVELS, MOST_SEED, STEPS
from hf_resnet.app.uploads import refusal, told


@dataclass(frozen=True)
class Making:
    """Each builds a tab, or answers what the tab asks."""

    parts: Parts

    def build_ideal(self) -> None:
        around = self.parts.around
        with gr.Row():
            label = gr.Dropdown(
                [], value=None, label=self.parts.first("class"), elem_id="class", min_width=240
            )
            self.parts.labelled(label, "class")
            steps = gr.Slider(
                *STEPS,
                value=20,
                step=5,
                label=self.parts.first("steps"),
                elem_id="steps",
                min_width=240,
            )
            self.parts.labelled(steps, "steps")
            seed = gr.Number(
                0, precision=0, minimum=0, maximum=MOST_SEED, label=self.parts.first("seed")
            )
            self.parts.labelled(seed, "seed")
        button, result = self.parts.button("ideal_ask"), self.parts.result("ideal")
        inputs = [around.network, label, steps, seed, around.switch]
        worked([button.click], self.ideal, inputs, result, **LONG)
        self.parts.again(self.ideal, inputs, result)
        self.parts.emptied(result, around.network)

        def choices(name: Any, language: Any) -> Any:
            names = told(known(language), self.parts.bench.open, name).labels.names
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
        classifier = told(language, self.parts.bench.open, name)
        if not isinstance(label, str) or not label:
            raise refusal(language, say(language, "choose_class"))
        index = told(language, classifier.labels.find, label)
        label = classifier.labels.names[index]
        found = told(
            language,
            self.parts.bench.ideal,
            name,
            label,
            steps=whole(steps, 20),
            seed=whole(seed, 0),
            told=spoken_progress(progress, language),
        )
        return drawing.made_of(key_of(name), drawing.ideal(language, name, found, label))

    def build_fool(self) -> None:
        around = self.parts.around
        with gr.Row():
            target = gr.Dropdown(
                self._targets(self.parts.bench.names[0], self.parts.spoken.language),
                value="",
                label=self.parts.first("target"),
                elem_id="target",
                min_width=300,
            )
            self.parts.labelled(target, "target")
            attack = gr.Radio(
                self._attacks(self.parts.spoken.language),
                value="pgd",
                label=self.parts.first("attack"),
                min_width=300,
            )
            self.parts.spoken.said(attack, label=self.parts.text("attack"), choices=self._attacks)
        button = self.parts.button("fool_ask")
        strength = gr.Slider(
            0, MOST_LEVELS, value=0, step=1, label=self.parts.first("strength"), elem_id="strength"
        )
        self.parts.labelled(strength, "strength")
        result = self.parts.result("fool")
        inputs = [around.network, around.picture, target, attack, around.switch]
        with_strength = [*inputs[:-1], strength, around.switch]
        worked([button.click], self.fool, inputs, [result, strength], **LONG)
        worked([strength.input], self.fool_more, with_strength, result)
        self.parts.again(self.fool_more, with_strength, result)
        self.parts.emptied(result, around.network, around.picture)

        def choices(name: Any, language: Any) -> Any:
            language = known(language)
            told(language, self.parts.bench.open, name)
            return gr.update(choices=self._targets(name, language), value="")

        events = [around.arrived, around.network.change, around.switch.change]
        worked(events, choices, [around.network, around.switch], target, show_progress="hidden")

    @staticmethod
    def _attacks(language: str) -> Any:
        return [(say(language, f"attack_{key}"), key) for key in ("pgd", "fgsm")]

    def _targets(self, name: str, language: str) -> list[tuple[str, str]]:
        names = self.parts.bench.open(name).labels.names
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
        preprocess = self.parts.bench.open(name).preprocess
        levels = min(max(whole(strength, 0), 0), MOST_LEVELS)
        now = found
        if levels == found.levels:
            tried = found.levels if found.fooled else found.most_levels
            key = "fool_smallest" if found.fooled else "fool_none"
            line = say(language, key, network=name, levels=tried)
        else:
            now = told(language, self.parts.bench.with_strength, name, found, levels)
            key = "fool_now_same" if now.after.label == found.before.label else "fool_now"
            line = say(language, key, network=name, levels=levels, answer=now.after.label)
        drawn = drawing.fooled(language, line, now, preprocess)
        return drawing.made_of(key_of(name, given), drawn)

    def _fooled(
        self, name: Any, given: Any, target: Any, attack: Any, language: str, progress: gr.Progress
    ) -> Any:
        path = self.parts.path(name, given, language)
        return told(
            language,
            self.parts.bench.fooled,
            name,
            path,
            target=target if isinstance(target, str) and target else None,
            attack=attack if attack == "fgsm" else "pgd",
            told=spoken_progress(progress, language),
        )
