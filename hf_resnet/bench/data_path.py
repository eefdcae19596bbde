"""Pictures made ready to learn from: the first time, and every time after.

The usual way is a data set with set_transform and the transforms of torchvision, as in the examples
of transformers. Both sides do so in one process, without workers, so that what is compared is the
work and not how many share it. Ours may keep pictures scaled down (`--cache_images`): its first time
then writes them, and later ones decode nothing. Both give float pixels of 224 by 224 in batches.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_resnet.bench import material
from hf_resnet.bench.task import Outcome, Subject, Task, peak_megabytes
from hf_resnet.heap import keep_freed_memory
from hf_resnet.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

BATCH = 32
PREPROCESS = Preprocess(mode="crop", size=(224, 224), resize=(256, 256), interpolation="bilinear")

Epoch = Callable[[], "Iterator[torch.Tensor]"]


def set_transform(task: Task) -> Outcome:
    """datasets and torchvision."""
    import datasets
    import torch
    from torchvision import transforms

    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(PREPROCESS.size[0]),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(PREPROCESS.mean, PREPROCESS.std),
        ]
    )

    def changed(examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {"pixel_values": [change(image.convert("RGB")) for image in examples["image"]]}

    data = datasets.Dataset.from_dict({"image": task.photos()})
    data = data.cast_column("image", datasets.Image())
    data.set_transform(changed)

    def epoch() -> "Iterator[torch.Tensor]":
        batches = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        yield from (batch["pixel_values"] for batch in batches)

    return _timed(epoch, task, beforehand=epoch)


def ours(task: Task) -> Outcome:
    """What finetune learns from with --cache_images."""
    import numpy as np
    import torchvision.io  # noqa: F401  timm and transformers load it, and so does the other side

    from hf_resnet.augment import Changes
    from hf_resnet.config import DataConfig
    from hf_resnet.data import load_data
    from hf_resnet.data.picture_cache import PictureCache
    from hf_resnet.training.examples import Examples, as_numbers, loaded

    keep_freed_memory()
    home = Path(task.photos()[0]).parents[1]
    split = load_data(DataConfig(train_dir=str(home), validation_dir=str(home))).train
    assert split is not None  # noqa: S101  the folder was filled
    count = len(task.photos())
    number_N = np.arange(count)
    with tempfile.TemporaryDirectory() as cache:
        examples = Examples(
            split=split,
            row_N=number_N,
            label_N=np.zeros(count, np.int64),
            preprocess_E=[PREPROCESS],
            changes=Changes(),
            seed=0,
            cache=PictureCache(Path(cache)) if task.cached else None,
        )
        passed = 0

        def epoch(examples: Examples = examples) -> "Iterator[torch.Tensor]":
            nonlocal passed
            order = np.random.default_rng(passed).permutation(count).tolist()
            picked = [[(at, passed) for at in order[i : i + BATCH]] for i in range(0, count, BATCH)]
            passed += 1
            for pixels_BHWC, _ in loaded(examples, picked, workers=0):
                yield as_numbers(pixels_BHWC, PREPROCESS)

        uncached = replace(examples, cache=None)  # what is kept is kept within the time measured
        return _timed(epoch, task, beforehand=lambda: epoch(uncached))


def _timed(epoch: Epoch, task: Task, *, beforehand: Epoch) -> Outcome:
    next(beforehand())  # a first batch loads what the libraries load when they are first used
    if task.later:
        _seconds(epoch)
    seconds = _seconds(epoch)
    return Outcome(seconds, len(task.photos()) / seconds, peak_megabytes())


def _seconds(epoch: Epoch) -> float:
    began = time.perf_counter()
    for pixels_BCHW in epoch():
        assert pixels_BCHW.shape[1:] == (3, *PREPROCESS.size)  # noqa: S101  both do the same work
    return time.perf_counter() - began


SUBJECT = Subject(
    "Pictures made ready to learn from",
    {"set_transform": set_transform, "ours": ours},
    usual=("set_transform",),
    cases={
        f"{width}x{height}, {when}": {"photo": (width, height), "cached": cached, "later": later}
        for width, height in ((500, 375), (2000, 1500))
        for when, cached, later in (
            ("nothing kept", False, False),
            ("first time, kept", True, False),
            ("later times", True, True),
        )
    },
    prepare=material.photos,
    pictures=192,
)
