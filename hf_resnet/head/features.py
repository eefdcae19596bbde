"""What a frozen network says of every picture of a split: computed once, kept on disk, read in
blocks.

Knows nothing of classes beyond a number. Resident memory holds a few batches and, for each picture,
its key, its label and its origin. Under several processes each does its share of the rows, and all
of them get the whole back, in the order of the split. The surprise: features are stored under what
decides them and nothing else, so that other data sets, other heads and other numbers of views find
those that are there.
"""

import hashlib
import json
import sys
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object

from hf_resnet import augment
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig, OnBadImage
from hf_resnet.data import Split
from hf_resnet.engine import BadPicture, Engine
from hf_resnet.errors import DataError, HfResnetError
from hf_resnet.head.rowfile import RowFile
from hf_resnet.head.share import Part, Share, addresses_of
from hf_resnet.head.store import ADDRESS, FeatureStore, cache_folder

_FORMAT = 2
_NAMES_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Features:
    """The usable pictures of a split in order, and the features of each in every view, on disk."""

    folder: Path
    shape: tuple[int, int, int]
    """Pictures, views and the width of a feature."""

    seed: int
    row_N: np.ndarray
    """Where in the split it stands."""

    key_N: np.ndarray
    """Which picture it is (S32)."""

    label_N: np.ndarray
    """Its class, NO_LABEL where it has none."""

    origins: tuple[str, ...]
    bad: tuple[BadPicture, ...]
    """The files that could not be used."""

    computed: int
    """How many pictures went through the network for this; the others were in the store."""

    _once: threading.Lock = field(default_factory=threading.Lock)

    def read(self, start: int, stop: int) -> np.ndarray:
        """features_BVD of the pictures from start to stop; view 0 is the plain picture."""
        views, width = self.shape[1:]
        with self._once:
            rows = self._in_order
        return rows.read(start * views, stop * views).reshape(-1, views, width)

    @cached_property
    def _in_order(self) -> RowFile:
        """A second copy of the rows in the order of the pictures: every pass then reads straight on."""
        pictures, views, width = self.shape
        address_N = np.empty(pictures * views, ADDRESS)
        for start in range(0, pictures, _NAMES_AT_ONCE):
            keys = self.key_N[start : start + _NAMES_AT_ONCE].astype(str)
            names = addresses_of(keys, self.seed, range(views))
            address_N[start * views : start * views + len(names)] = names
        rows = RowFile(self.folder, width, expected=pictures * views)
        try:
            for positions, features_MD in FeatureStore(self.folder, width, _warn).chunks(address_N):
                rows.write(positions, features_MD)
        except KeyError as exc:
            raise DataError(
                f"features went from {self.folder} while they were in use ({exc.args[0]}); run "
                "again, and let nothing empty that folder meanwhile"
            ) from exc
        return rows


def extract(
    classifier: Classifier,
    split: Split,
    head: HeadConfig,
    compute: ComputeConfig,
    *,
    on_bad_image: OnBadImage = "skip",
    seed: int = 0,
    accelerator: Accelerator | None = None,
) -> Features:
    """The features of all usable pictures; those that are not in the store yet are computed."""
    mark = classifier.fingerprint()
    engine = Engine(classifier.network, compute, accelerator.device if accelerator else None)
    folder = cache_folder(head.feature_cache_dir) / _fingerprint(mark, engine)
    shard = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    part = Part()
    with FeatureStore(folder, engine.network.width, _warn) as store:
        share = Share(classifier, engine, store, range(head.views), seed, on_bad_image, part)
        try:
            share.run(split, *shard)
        except HfResnetError as exc:
            part.failure = exc
    parts = gather_object([part]) if accelerator else [part]
    for each in parts:
        if each.failure is not None:
            raise each.failure
    return _together(parts, folder, (head.views, engine.network.width), seed)


def _together(parts: list[Part], folder: Path, shape: tuple[int, int], seed: int) -> Features:
    """The parts as one, in the order of the split: row i was row i // parts of part i % parts."""
    count, step = sum(len(part.labels) for part in parts), len(parts)
    key_N, label_N = np.empty(count, "S32"), np.empty(count, np.int64)
    origins, bad = [""] * count, dict[int, str]()
    for first, part in enumerate(parts):
        key_N[first::step] = np.frombuffer(bytes(part.keys), "S32")
        label_N[first::step] = part.labels
        origins[first::step] = part.origins
        bad.update((first + number * step, reason) for number, reason in part.bad.items())
    good = np.setdiff1d(np.arange(count), np.array(list(bad), np.int64))
    return Features(
        folder=folder,
        shape=(len(good), *shape),
        seed=seed,
        row_N=good,
        key_N=key_N[good],
        label_N=label_N[good],
        origins=tuple(origins[at] for at in good),
        bad=tuple(BadPicture(origins[at], bad[at]) for at in sorted(bad)),
        computed=sum(part.computed for part in parts),
    )


def _fingerprint(mark: str, engine: Engine) -> str:
    """The folder of everything computed alike: weights, preprocess, arithmetic, recipe of views."""
    recipe = [
        _FORMAT,
        mark,
        engine.precision,
        engine.device.type,
        augment.AREA,
        augment.PROPORTIONS,
    ]
    return hashlib.blake2b(json.dumps(recipe).encode(), digest_size=16).hexdigest()


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")
