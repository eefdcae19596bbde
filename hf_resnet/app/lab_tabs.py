"""The tabs of the lab, each under three sentences that say what is seen and what it is good for."""

from collections.abc import Callable

import gradio as gr

from hf_resnet.app import lab_chart
from hf_resnet.app.lab_looking import Looking
from hf_resnet.app.lab_making import Making
from hf_resnet.app.lab_measured import Measured
from hf_resnet.app.lab_parts import Around, Parts


def build_tabs(around: Around, measured: Measured) -> None:
    """All of them, where it is called."""
    parts, spoken = Parts(around), around.spoken
    looking, making = Looking(parts), Making(parts)
    builders: dict[str, Callable[[], object]] = {
        "layers": looking.build_layers,
        "maps": looking.build_maps,
        "gradcam": looking.build_gradcam,
        "ideal": making.build_ideal,
        "fool": making.build_fool,
        "degrade": lambda: spoken.html(
            lambda lang: lab_chart.degrade(lang, measured), elem_id="degrade-found"
        ),
    }
    with gr.Tabs():
        for key, build in builders.items():
            tab = gr.Tab(parts.first(f"tab_{key}"), id=key)
            with spoken.said(tab, label=parts.text(f"tab_{key}")):
                spoken.html(parts.sentences(key))
                build()
