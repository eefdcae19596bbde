"""A split put through a network, by one process or several: what it said of each picture.

Under several processes each takes its shard, and every process gets the whole back, each picture
once and in the order of the split. The scores stay in memory: four bytes a picture and class.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from PIL import Image

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Row, Split
from hf_resnet.engine import Answering, BadPicture, Engine, batches
from hf_resnet.errors import DataError, HfResnetError, ModelError
from hf_resnet.head.features import extract
from hf_resnet.head.share import NO_LABEL
from hf_resnet.metrics.arrays import Array, IntArray
from hf_resnet.progress import Pace

_ROWS_AT_ONCE = 4096
Levels = NDArray[np.uint8]


Change = Callable[[Levels, str], Levels]
"""What happens to the pixels_HWC that the network is to see; the text is the picture's key."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a split is looked at, where that is not as usual."""

    change: Change | None = None
    only: frozenset[str] | None = None
    """The keys of the pictures that are looked at."""

    needs_class: bool = True
    """Off: pictures without a class are answered too, and every truth_N is NO_LABEL."""

    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network said of N pictures of a split."""

    keys: tuple[str, ...]
    origins: tuple[str, ...]
    truth_N: IntArray
    """As the split numbers its classes."""

    logits_NK: Array
    bad: tuple[BadPicture, ...]
    number_N: IntArray
    """Which row of the split each is."""

    def numbered(self, number_of: IntArray) -> "Answers":
        """The same with the classes as the model numbers them."""
        return replace(self, truth_N=number_of[self.truth_N])


def answers(
    model: Classifier | Answering,
    split: Split,
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
    look: Look | None = None,
) -> Answers:
    """Every usable picture of the split answered once; DataError where there is none.

    What goes wrong in one process is raised, alike, in all of them: none is left waiting.
    """
    part = _Part()
    try:
        _fill(part, model, split, compute, (accelerator, look or Look()))
    except HfResnetError as exc:
        part = _Part(failure=exc)
    parts = gather_object([part]) if accelerator else [part]
    for each in parts:
        if each.failure is not None:
            raise each.failure
    return _together(parts, split)


def made_ready(
    model: Classifier | Answering, compute: ComputeConfig, accelerator: Accelerator | None = None
) -> Answering:
    """The model folded and on its device; made once where the same pictures are asked often."""
    if isinstance(model, Answering):
        return model
    engine = Engine(model.network, compute, accelerator.device if accelerator else None)
    return Answering(
        labels=model.labels,
        preprocess=model.preprocess,
        logits=engine.logits,
        probabilities=engine.probabilities,
        batch_size=engine.batch_size,
        workers=engine.workers,
        backend="torch",
    )


def stored_answers(
    classifier: Classifier,
    split: Split,
    head: HeadConfig,
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
) -> Answers:
    """The same out of the store of features: only pictures that it lacks go through the network.

    The logits are worked out in fp32, so that they differ in their last digits from those of a
    network that runs in bf16 as a whole.
    """
    plain = replace(head, views=1)
    features = extract(classifier, split, plain, compute, accelerator=accelerator)
    count = len(features.key_N)
    if not count:
        raise DataError(_nothing(split, list(features.bad)))
    if (without := np.flatnonzero(features.label_N == NO_LABEL)).size:
        raise DataError(_no_class(features.origins[without[0]], split))
    weight_KD, bias_K = classifier.network.weight_KD.cpu().numpy(), classifier.network.bias_K
    offset_K = np.zeros(len(weight_KD), np.float32) if bias_K is None else bias_K.cpu().numpy()
    logits_NK = np.concatenate(
        [
            features.read(start, min(start + _ROWS_AT_ONCE, count))[:, 0] @ weight_KD.T + offset_K
            for start in range(0, count, _ROWS_AT_ONCE)
        ]
    )
    return Answers(
        keys=tuple(key.decode() for key in features.key_N),
        origins=features.origins,
        truth_N=features.label_N,
        logits_NK=logits_NK,
        bad=features.bad,
        number_N=features.row_N,
    )


@dataclass
class _Part:
    """What one process found: lists that run alike, and the bad pictures."""

    numbers: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)
    logits_BK: list[Array] = field(default_factory=list)
    bad_numbers: list[int] = field(default_factory=list)
    bad: list[BadPicture] = field(default_factory=list)
    failure: HfResnetError | None = None


def _fill(
    part: _Part,
    model: Classifier | Answering,
    split: Split,
    compute: ComputeConfig,
    how: tuple[Accelerator | None, Look],
) -> None:
    """The share of one process."""
    accelerator, look = how
    shard = accelerator.process_index if accelerator else 0
    shards = accelerator.num_processes if accelerator else 1
    engine = made_ready(model, compute, accelerator)
    preprocess = engine.preprocess
    keys: dict[int, str] = {}

    def prepare(picture: Image.Image, row: Row) -> Array:
        pixels_HWC = preprocess.resized(picture)
        if look.change:
            pixels_HWC = look.change(pixels_HWC, keys[int(row.key)])
        return preprocess.normalised(pixels_HWC)

    ready = batches(
        _numbered(split, (shard, shards), keys, look),
        prepare,
        batch_size=engine.batch_size,
        workers=compute.dataloader_num_workers,
        on_bad=part.bad.append,
        at_least=preprocess.enough,
    )
    shown = shard == 0 and not look.quiet
    with Pace(f"Measuring on {split.name}", split.size, shown=shown) as pace:
        for batch in ready:
            logits_BK = engine.logits(batch.pixels_BCHW)
            if not np.isfinite(logits_BK).all():
                raise ModelError(
                    f"the network gave numbers that are not finite for {batch.origins[0]} or a "
                    "picture near it; try --precision fp32, and if that helps nothing the weights "
                    "are broken"
                )
            numbers = [int(key) for key in batch.keys]
            part.numbers += numbers
            part.keys += [keys[number] for number in numbers]
            part.origins += batch.origins
            part.truth += [NO_LABEL if label is None else label for label in batch.labels]
            part.logits_BK.append(logits_BK)
            pace.advance((len(part.numbers) + len(part.bad)) * shards - pace.done)
    # on_bad is told of no number; but what came through in no batch is bad, in the same order
    part.bad_numbers = sorted(keys.keys() - set(part.numbers))


def _numbered(
    split: Split, share: tuple[int, int], keys: dict[int, str], look: Look
) -> Iterator[Row]:
    """The rows with their place in the split for a key; the real keys are noted in `keys`."""
    for number, row in zip(itertools.count(*share), split.rows(*share)):
        if look.only is not None and row.key not in look.only:
            continue
        if look.needs_class and row.label is None and row.problem is None:
            raise DataError(_no_class(row.origin, split))
        keys[number] = row.key
        yield replace(row, key=str(number))


def _together(parts: list[_Part], split: Split) -> Answers:
    """The parts as one, in the order of the split."""
    bad = [pair for part in parts for pair in zip(part.bad_numbers, part.bad, strict=True)]
    bad.sort(key=lambda pair: pair[0])
    numbers = [number for part in parts for number in part.numbers]
    if not numbers:
        raise DataError(_nothing(split, [picture for _, picture in bad]))
    order = np.argsort(numbers)
    keys = [key for part in parts for key in part.keys]
    origins = [origin for part in parts for origin in part.origins]
    truth = [label for part in parts for label in part.truth]
    logits = [logits_BK for part in parts for logits_BK in part.logits_BK]
    return Answers(
        keys=tuple(keys[i] for i in order),
        origins=tuple(origins[i] for i in order),
        truth_N=np.array(truth, dtype=np.int64)[order],
        logits_NK=np.concatenate(logits)[order],
        bad=tuple(picture for _, picture in bad),
        number_N=np.sort(np.array(numbers, dtype=np.int64)),
    )


def _no_class(origin: str, split: Split) -> str:
    return (
        f"{origin} of {split.name} has no class, and measuring compares with the class; name the "
        "column that has it with --label_column_name"
    )


def _nothing(split: Split, bad: list[BadPicture]) -> str:
    if not bad:
        return f"the split {split.name!r} has no pictures to measure on; name another with --split"
    return (
        f"none of the {len(bad)} pictures of the split {split.name!r} can be used; the first is "
        f"{bad[0].origin}: {bad[0].reason}"
    )
