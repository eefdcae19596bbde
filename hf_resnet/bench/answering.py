"""Our side wherever pictures are answered: the engine by torch, and by each export.

Decoding ahead of the network, as the command does it; one picture at a time, as a program does.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hf_resnet.bench.material import EXPORTS
from hf_resnet.bench.task import Outcome, Side, Task, median_seconds, peak_megabytes
from hf_resnet.config import Backend, ComputeConfig, ModelConfig
from hf_resnet.data import pictures
from hf_resnet.engine import batches, open_fastest
from hf_resnet.errors import DataError
from hf_resnet.heap import keep_freed_memory
from hf_resnet.images import open_picture

if TYPE_CHECKING:
    from hf_resnet.engine import Answering, BadPicture

BATCH = 32


def sides_of(how: Callable[["Answering", Task], Outcome]) -> dict[str, Side]:
    """`how` answered by torch, and by each export."""
    named: dict[str, Backend] = {"ours": "torch", **{f"ours, {name}": name for name in EXPORTS}}
    return {side: partial(_side, backend, how) for side, backend in named.items()}


def without_exports(problems: dict[str, str]) -> dict[str, str]:
    """Which sides cannot be, where these exports cannot."""
    return {f"ours, {name}": why for name, why in problems.items()}


def _side(backend: Backend, how: Callable[["Answering", Task], Outcome], task: Task) -> Outcome:
    keep_freed_memory()
    compute = ComputeConfig(
        per_device_eval_batch_size=task.batch or BATCH, dataloader_num_workers=max(1, task.threads)
    )
    model = ModelConfig(model_name_or_path=str(task.model_folder))
    return how(open_fastest(model, compute, backend), task)


def all_at_once(answering: "Answering", task: Task) -> Outcome:
    """All photos in batches; the first batch is answered once before."""
    paths = task.photos()
    _labels(answering, paths[: answering.batch_size])
    began = time.perf_counter()
    answers = _labels(answering, paths)
    seconds = time.perf_counter() - began
    return Outcome(seconds, len(paths) / seconds, peak_megabytes(), answers=answers)


def _labels(answering: "Answering", paths: list[str]) -> tuple[str, ...]:
    preprocess = answering.preprocess
    coming = batches(
        pictures(paths).rows(),
        lambda picture, _: preprocess(picture),
        batch_size=answering.batch_size,
        workers=answering.workers,
        on_bad=_refuse,
        at_least=preprocess.enough,
    )
    return tuple(
        answering.likeliest(row_K, 1)[0].label
        for batch in coming
        for row_K in answering.probabilities(batch.pixels_BCHW)
    )


def _refuse(bad: "BadPicture") -> None:
    raise DataError(f"{bad.origin}: {bad.reason}")


def one_by_one(answering: "Answering", task: Task) -> Outcome:
    """Each photo from its file to its label, before the next is looked at."""
    preprocess = answering.preprocess

    def ask(path: str) -> str:
        pixels_CHW = preprocess(open_picture(path, at_least=preprocess.enough))
        (probabilities_K,) = answering.probabilities(pixels_CHW[None])
        return answering.likeliest(probabilities_K, 1)[0].label

    return asked_one_by_one(ask, task)


def asked_one_by_one(ask: Callable[[str], str], task: Task) -> Outcome:
    """The median of all photos."""
    paths = task.photos()
    answers = tuple(ask(path) for path in paths)  # not counted
    coming = iter(np.roll(paths, 1).tolist() + paths)
    seconds = median_seconds(lambda: ask(next(coming)), len(paths))
    return Outcome(seconds, 1 / seconds, peak_megabytes(), answers=answers)
