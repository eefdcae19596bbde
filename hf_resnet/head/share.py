"""One process's share of the pictures, put through the network once.

Knows nothing of the other processes. A picture is decoded once for all its views that are missing;
views of several pictures are put together until they fill a batch, and what the network gives goes
to the store as it comes.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from hf_resnet import augment
from hf_resnet.classifier import Classifier
from hf_resnet.config import OnBadImage
from hf_resnet.data import Row, Split
from hf_resnet.engine import Engine, batches
from hf_resnet.errors import DataError, HfResnetError, ModelError
from hf_resnet.head.store import FeatureStore, addresses
from hf_resnet.progress import Pace

NO_LABEL = -1


def addresses_of(keys: Iterable[str], seed: int, views: Iterable[int]) -> np.ndarray:
    """Of each picture in each of the views; the plain view is the same whatever the seed."""
    chosen = list(views)
    return addresses(
        hashlib.blake2b(f"{key}/{view}/{seed if view else 0}".encode(), digest_size=16).digest()
        for key in keys
        for view in chosen
    )


@dataclass
class Part:
    """What one process found, row by row."""

    keys: bytearray = field(default_factory=bytearray)
    labels: "array[int]" = field(default_factory=lambda: array("q"))
    origins: list[str] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    failure: HfResnetError | None = None


@dataclass(frozen=True)
class Share:
    """One process's pass over its share of the rows."""

    classifier: Classifier
    engine: Engine
    store: FeatureStore
    views: range
    seed: int
    on_bad_image: OnBadImage
    part: Part
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
                at_least=self._enough,
            )
            full = _Filled(self.engine, self.store)
            for batch in coming:
                done = [self.waiting.pop(int(number)) for number in batch.keys]
                missing_BV = np.array([missing_V for _, missing_V in done])
                names = [
                    addresses_of([key], self.seed, np.flatnonzero(missing_V))
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
            missing_V = ~self.store.holds(addresses_of([row.key], self.seed, self.views))
            if missing_V.any():
                self.waiting[number] = row.key, missing_V
                yield replace(row, key=str(number))

    @property
    def _enough(self) -> int:
        """The short side that the plain picture and the parts of it need."""
        preprocess = self.classifier.preprocess
        if len(self.views) == 1:
            return preprocess.enough
        return max(preprocess.enough, augment.enough(preprocess.size, augment.AREA[0]))

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
