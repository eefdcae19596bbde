"""The first answer of a fresh process: from the start of Python to its end, imports and all."""

import sys
from functools import partial

from hf_resnet.bench import material
from hf_resnet.bench.answering import without_exports
from hf_resnet.bench.task import Outcome, Subject, Task, of_program

_PIPELINE = """
import sys, transformers
ask = transformers.pipeline("image-classification", model=sys.argv[1], top_k=1, device="cpu")
print(ask(sys.argv[2]))
"""


def pipeline(task: Task) -> Outcome:
    """The few lines of the documentation, as a script."""
    return of_program([sys.executable, "-c", _PIPELINE, str(task.model_folder), task.photos()[0]])


def ours(backend: str, task: Task) -> Outcome:
    """hf-resnet predict."""
    words = [sys.executable, "-m", "hf_resnet", "predict", str(task.model_folder)]
    return of_program([*words, task.photos()[0], "--backend", backend])


def prepare(task: Task) -> dict[str, str]:
    """Photos, network and exports."""
    return without_exports(material.model_and_exports(task))


SUBJECT = Subject(
    "The first answer of a fresh process",
    {
        "pipeline": pipeline,
        "ours": partial(ours, "torch"),
        **{f"ours, {name}": partial(ours, name) for name in material.EXPORTS},
    },
    usual=("pipeline",),
    model=material.RESNET50,
    prepare=prepare,
    pictures=material.KINDS,
)
