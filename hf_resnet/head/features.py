"""What a frozen network says of every picture of a split: computed once, kept on disk, read in
blocks.

Knows nothing of classes beyond a number. One pass decodes each picture once for all views that are
missing and stores what the network gives as it comes, so that resident memory holds a few batches
and, for each picture, its key, its label and its origin. Under several processes each does its share
of the rows, and all of them get the whole back, in the order of the split. The surprise: features
are stored under what decides them and nothing else, so that other data sets, other heads and other
numbers of views find those that are there.
"""

import hashlib
import json
import sys
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object
from PIL import Image

from hf_resnet import augment
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig, OnBadImage
from hf_resnet.data import Row, Split
from hf_resnet.engine import BadPicture, Engine, batches
from hf_resnet.errors import DataError, HfResnetError, ModelError
from hf_resnet.head.rowfile import RowFile
from hf_resnet.head.store import FeatureStore, addresses, cache_folder
from hf_resnet.progress import Pace

NO_LABEL = -1
_FORMAT = 1
_NAMES_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Features:
    """The usable pictures of a split in order, and the features of each in every view, on disk."""

    folder: Path
    shape: tuple[int, int, int]
    """Pictures, views and the width of a feature."""

    seed: int
    key_N: np.ndarray
    """Which picture it is (S32)."""

    label_N: np.ndarray
    """Its class, NO_LABEL where it has none."""

    origins: tuple[str, ...]
    bad: tuple[BadPicture, ...]
    """The files that could not be used."""

    computed: int
    """How many pictures went through the network for this; the others were in the store."""

    notes: tuple[str, ...]
    """What a person should know of the store."""

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
        store = FeatureStore(self.folder, width, _warn)
        rows = RowFile(self.folder, width)
        parts = [
            _addresses(self.key_N[start : start + _NAMES_AT_ONCE], self.seed, range(views))
            for start in range(0, pictures, _NAMES_AT_ONCE)
        ]
        for positions, features_MD in store.chunks(
            np.concatenate(parts) if parts else addresses(())
        ):
            rows.write(positions, features_MD)
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
    part = _Part()
    with FeatureStore(folder, engine.network.width, part.notes.append) as store:
        job = _Job(classifier, engine, store, range(head.views), seed, on_bad_image, part)
        try:
            job.run(split, *shard)
        except HfResnetError as exc:
            part.failure = exc
    parts = gather_object([part]) if accelerator else [part]
    for each in parts:
        if each.failure is not None:
            raise each.failure
    return _together(parts, folder, (head.views, engine.network.width), seed)


@dataclass
class _Part:
    """What one process found, row by row."""

    keys: bytearray = field(default_factory=bytearray)
    labels: "array[int]" = field(default_factory=lambda: array("q"))
    origins: list[str] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    notes: list[str] = field(default_factory=list)
    failure: HfResnetError | None = None


@dataclass(frozen=True)
class _Job:
    """One process's pass over its share of the rows."""

    classifier: Classifier
    engine: Engine
    store: FeatureStore
    views: range
    seed: int
    on_bad_image: OnBadImage
    part: _Part
    waiting: dict[int, tuple[str, np.ndarray]] = field(default_factory=dict)
    """The rows that are on their way through the network: key, and which views are missing."""

    def run(self, split: Split, shard: int, shards: int) -> None:
        reasons: list[str] = []
        with Pace(f"Features of {split.name}", split.size, shown=shard == 0) as pace:
            coming = batches(
                self._missing(split.rows(shard, shards), pace, shards),
                self._prepare,
                batch_size=max(1, self.engine.batch_size // len(self.views)),
                workers=self.engine.workers,
                on_bad=lambda bad: reasons.append(self._refused(bad.origin, bad.reason)),
            )
            full = _Filled(self.engine, self.store)
            for batch in coming:
                done = [self.waiting.pop(int(number)) for number in batch.keys]
                missing_BV = np.array([missing_V for _, missing_V in done])
                names = [
                    _addresses(np.array([key]), self.seed, np.flatnonzero(missing_V))
                    for key, missing_V in done
                ]
                full.add(np.concatenate(names), batch.pixels_BCHW[missing_BV], batch.origins[0])
                self.part.computed += len(done)
            full.finish()
        # what came through in no batch could not be decoded; on_bad was told in the same order
        self.part.bad.update(zip(sorted(self.waiting), reasons, strict=True))

    def _missing(self, rows: Iterator[Row], pace: Pace, shards: int) -> Iterator[Row]:
        """Take note of every row, and let those through that the network has to see."""
        for number, row in enumerate(rows):
            self.part.keys += row.key.encode().ljust(32, b"\0")
            self.part.labels.append(NO_LABEL if row.label is None else row.label)
            self.part.origins.append(row.origin)
            pace.advance(shards)
            if row.problem is not None:
                self.part.bad[number] = self._refused(row.origin, row.problem)
                continue
            missing_V = ~self.store.holds(_addresses(np.array([row.key]), self.seed, self.views))
            if missing_V.any():
                self.waiting[number] = row.key, missing_V
                yield replace(row, key=str(number))

    def _prepare(self, picture: Image.Image, row: Row) -> np.ndarray:
        """pixels_VCHW of the views; those that are in the store stay empty."""
        key, missing_V = self.waiting[int(row.key)]
        preprocess = self.classifier.preprocess
        pixels_VCHW = np.empty((len(self.views), 3, *preprocess.size), np.float32)
        for number in np.flatnonzero(missing_V):
            view_HWC = augment.view(
                picture, preprocess, seed=self.seed, key=key, number=int(number)
            )
            pixels_VCHW[number] = preprocess.normalised(view_HWC)
        return pixels_VCHW

    def _refused(self, origin: str, reason: str) -> str:
        if self.on_bad_image == "fail":
            raise DataError(
                f"{origin}: {reason}; mend the file or take it away, or pass over such files with "
                "--on_bad_image skip"
            )
        return reason


class _Filled:
    """Views put together until they fill a batch, put through the network and stored."""

    def __init__(self, engine: Engine, store: FeatureStore) -> None:
        self._engine, self._store = engine, store
        self._names: list[np.ndarray] = []
        self._pixels: list[np.ndarray] = []

    def add(self, names_M: np.ndarray, pixels_MCHW: np.ndarray, origin: str) -> None:
        self._names.append(names_M)
        self._pixels.append(pixels_MCHW)
        count = sum(map(len, self._names))
        if count >= self._engine.batch_size:
            names_M, pixels_MCHW = np.concatenate(self._names), np.concatenate(self._pixels)
            whole = count - count % self._engine.batch_size
            self._names, self._pixels = [names_M[whole:]], [pixels_MCHW[whole:]]
            self._compute(names_M[:whole], pixels_MCHW[:whole], origin)

    def finish(self) -> None:
        if self._names:
            self._compute(
                np.concatenate(self._names), np.concatenate(self._pixels), "the last rows"
            )

    def _compute(self, names_M: np.ndarray, pixels_MCHW: np.ndarray, origin: str) -> None:
        features_MD = self._engine.features(pixels_MCHW)
        if not np.isfinite(features_MD).all():
            raise ModelError(
                f"the network gave features that are not finite for {origin} or a picture near it; "
                "try --precision fp32, and if that helps nothing the weights are broken"
            )
        self._store.add(names_M, features_MD)


def _together(parts: list[_Part], folder: Path, shape: tuple[int, int], seed: int) -> Features:
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
        key_N=key_N[good],
        label_N=label_N[good],
        origins=tuple(origins[at] for at in good),
        bad=tuple(BadPicture(origins[at], bad[at]) for at in sorted(bad)),
        computed=sum(part.computed for part in parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _addresses(key_M: np.ndarray, seed: int, views: "range | np.ndarray") -> np.ndarray:
    """Of each picture in each of the views; the plain view is the same whatever the seed."""
    return addresses(
        hashlib.blake2b(f"{key}/{view}/{seed if view else 0}".encode(), digest_size=16).digest()
        for key in key_M.astype(str)
        for view in views
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
