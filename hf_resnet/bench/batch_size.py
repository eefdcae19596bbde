"""The network alone, with batches of 1 to 64: ours by torch and by OpenVINO in int8, against the model
as transformers opens it."""

from collections.abc import Callable

import numpy as np

from hf_resnet.bench import material
from hf_resnet.bench.answering import sides_of, without_exports
from hf_resnet.bench.task import Outcome, Subject, Task, median_seconds, peak_megabytes
from hf_resnet.engine import Answering

SIZES = (1, 4, 16, 64)
OURS = ("ours", "ours, openvino-int8")


def eager(task: Task) -> Outcome:
    """The model of transformers, fp32."""
    import torch
    import transformers

    folder = str(task.model_folder)
    network = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pictures = [material.photo(number, task.photo) for number in range(task.batch or 1)]
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]

    def ask() -> None:
        with torch.no_grad():
            network(pixels)

    return _timed(ask, task)


def alone(answering: Answering, task: Task) -> Outcome:
    """The engine."""
    pictures = [material.photo(number, task.photo) for number in range(task.batch or 1)]
    pixels_BCHW = np.stack([answering.preprocess(picture) for picture in pictures])
    return _timed(lambda: answering.logits(pixels_BCHW), task)


def _timed(ask: Callable[[], object], task: Task) -> Outcome:
    batch = task.batch or 1
    seconds = median_seconds(ask, max(3, task.pictures // batch))
    return Outcome(seconds, batch / seconds, peak_megabytes())


def prepare(task: Task) -> dict[str, str]:
    """Network and exports."""
    return without_exports(material.model_and_exports(task))


SUBJECT = Subject(
    "The network alone, as batches grow",
    {"eager transformers": eager}
    | {name: side for name, side in sides_of(alone).items() if name in OURS},
    usual=("eager transformers",),
    model=material.RESNET50,
    cases={f"batch {size}": {"batch": size} for size in SIZES},
    prepare=prepare,
    pictures=24,
    grows=True,
)
