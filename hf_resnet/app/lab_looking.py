"""The tabs of the lab that look at a network as it is: its layers, their maps, where it looks."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from hf_resnet.app import lab_drawing as drawing
from hf_resnet.app.lab_parts import Parts, key_of, known, whole, worked
from hf_resnet.app.lab_words import say
from hf_resnet.app.spoken import html
from hf_resnet.app.uploads import path_of, told


@dataclass(frozen=True)
class Looking:
    """Each builds a tab, or answers what the tab asks."""

    parts: Parts

    def build_layers(self) -> None:
        around = self.parts.around
        depths = self._depths
        depth = gr.Radio(
            depths(self.parts.spoken.language), value="2", label=self.parts.first("depth")
        )
        depth.elem_id = "depth"
        self.parts.spoken.said(depth, label=self.parts.text("depth"), choices=depths)
        result = html("", elem_id="layers-found")
        events = [around.arrived, around.network.change, depth.change, around.switch.change]
        worked(events, self.layers, [around.network, depth, around.switch], result)

    @staticmethod
    def _depths(language: str) -> Any:
        return [(say(language, f"depth_{key}"), key) for key in drawing.DEPTHS]

    def layers(self, name: Any, depth: Any, language: Any) -> str:
        """The layer table of the network."""
        language = known(language)
        told(language, self.parts.bench.open, name)
        depth = depth if isinstance(depth, str) and depth in drawing.DEPTHS else "2"
        anatomy, picture = told(language, self.parts.bench.anatomy, name)
        return drawing.layers(language, name, anatomy, depth, picture)

    def build_maps(self) -> None:
        around = self.parts.around
        number = gr.Slider(1, 2, value=1, step=1, label=self.parts.first("layer"), elem_id="layer")
        self.parts.labelled(number, "layer")
        result = self.parts.result("maps")
        inputs = [around.network, around.picture, number, around.switch]
        events = [around.picture.change, around.network.change, number.input, around.switch.change]
        worked(events, self.maps, inputs, result)

        def count(name: Any, language: Any) -> Any:
            told(known(language), self.parts.bench.open, name)
            return gr.update(maximum=len(told(known(language), self.parts.bench.layers, name)))

        events = [around.arrived, around.network.change]
        worked(events, count, [around.network, around.switch], number, show_progress="hidden")

    def maps(self, name: Any, given: Any, number: Any, language: Any) -> str:
        """The maps of a layer; of the last where the network has fewer."""
        language = known(language)
        if not given:
            return drawing.waiting(language)
        told(language, self.parts.bench.open, name)
        path = path_of(given, self.parts.around.uploads, language)
        count = len(told(language, self.parts.bench.layers, name))
        number = min(max(whole(number, 1), 1), count)
        found = told(language, self.parts.bench.maps, name, path, number)
        return drawing.maps(language, name, found, number, count)

    def build_gradcam(self) -> None:
        around = self.parts.around
        button, result = self.parts.button("gradcam_ask"), self.parts.result("gradcam")
        inputs = [around.network, around.picture, around.switch]
        worked([button.click], self.gradcam, inputs, result)
        self.parts.again(self.gradcam, inputs, result)
        self.parts.emptied(result, around.network, around.picture)

    def gradcam(self, name: Any, given: Any, language: Any) -> str:
        """Where the network found its likeliest classes."""
        language = known(language)
        path = self.parts.path(name, given, language)
        seen, found = told(language, self.parts.bench.where, name, path)
        return drawing.made_of(key_of(name, given), drawing.glows(language, seen, found))
