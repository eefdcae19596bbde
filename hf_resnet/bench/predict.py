"""Many pictures answered, from their files to their labels.

What a person would otherwise run: the pipeline of transformers with its batch_size, a plain loop with
processor and model, and timm's transform and model. timm opens only networks of its own; of a
ResNet-50 of transformers it gets its own twin with other weights, whose labels are not compared.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from hf_resnet.bench import material
from hf_resnet.bench.answering import BATCH, all_at_once, sides_of, without_exports
from hf_resnet.bench.task import Outcome, Subject, Task, peak_megabytes
from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object

PIPELINE_BATCH = 8
"""What the documentation of the pipeline shows; on a CPU larger ones are no faster."""


def pipeline(task: Task) -> Outcome:
    """pipeline("image-classification") on the list of files."""
    import transformers

    ask = transformers.pipeline(
        "image-classification", model=str(task.model_folder), top_k=1, device="cpu"
    )
    batch = task.batch or PIPELINE_BATCH

    def labels(paths: Sequence[str]) -> list[str]:
        return [found[0]["label"] for found in ask(list(paths), batch_size=batch)]

    return _timed(labels, task, batch)


def eager(task: Task) -> Outcome:
    """Processor and model of transformers in batches, fp32, as their documentation has it."""
    import torch
    import transformers

    folder = str(task.model_folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    network = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    names = network.config.id2label

    def answer(pictures: list[Image.Image]) -> list[str]:
        with torch.no_grad():
            logits_BK = network(**processor(pictures, return_tensors="pt")).logits
        return [names[k] for k in logits_BK.argmax(1).tolist()]

    return _timed(_in_batches(answer, task.batch or BATCH), task, task.batch or BATCH)


def timm_loop(task: Task) -> Outcome:
    """timm's transform and model in batches, fp32, as its documentation has it."""
    import timm
    import torch

    same = "pretrained_cfg" in read_object(task.model_folder / "config.json")
    if not same and task.model != material.RESNET50:
        raise ModelError(f"timm does not open {task.model}")
    name = f"local-dir:{task.model_folder}" if same else "resnet50"
    network: Any = timm.create_model(name, pretrained=same).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    names = network.pretrained_cfg.get("label_names") if same else None

    def answer(pictures: list[Image.Image]) -> list[str]:
        pixels_BCHW = torch.stack([transform(picture) for picture in pictures])
        with torch.inference_mode():
            best_B = network(pixels_BCHW).argmax(1).tolist()
        return [names[k] for k in best_B] if names else []

    return _timed(_in_batches(answer, task.batch or BATCH), task, task.batch or BATCH)


def _in_batches(
    answer: Callable[[list[Image.Image]], list[str]], batch: int
) -> Callable[[Sequence[str]], list[str]]:
    def labels(paths: Sequence[str]) -> list[str]:
        found = []
        for start in range(0, len(paths), batch):
            part = [Image.open(path).convert("RGB") for path in paths[start : start + batch]]
            found += answer(part)
        return found

    return labels


def _timed(labels: Callable[[Sequence[str]], list[str]], task: Task, batch: int) -> Outcome:
    paths = task.photos()
    labels(paths[:batch])  # not counted
    began = time.perf_counter()
    answers = labels(paths)
    seconds = time.perf_counter() - began
    return Outcome(seconds, len(paths) / seconds, peak_megabytes(), answers=tuple(answers))


def prepare(task: Task) -> dict[str, str]:
    """Photos, network and exports."""
    return without_exports(material.model_and_exports(task))


SUBJECT = Subject(
    "Many pictures, from files to labels",
    {"pipeline": pipeline, "eager transformers": eager, "eager timm": timm_loop}
    | sides_of(all_at_once),
    usual=("pipeline", "eager transformers", "eager timm"),
    model=material.RESNET50,
    prepare=prepare,
    pictures=96,
)
