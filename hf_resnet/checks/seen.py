"""What a trained network saw in the pictures: features, nearest neighbours, and what a head that
never saw a picture would call it.

Features come from the store of `head`, so a later finetune finds them there. The neighbours are
looked for in the directions in which features vary most, where the rest is noise. The surprise: a
neighbour is never the picture itself, but may well be a copy of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hf_resnet.checks.index import neighbours
from hf_resnet.checks.survey import NO_LABEL, Survey
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Data
from hf_resnet.head.blocks import Source
from hf_resnet.head.features import extract
from hf_resnet.head.fit import fit_head
from hf_resnet.head.folds import NEVER, folds_of
from hf_resnet.progress import Pace

DIRECTIONS = 256
NEAREST = 10
_BLOCK = 4096
_LEARNED_DIRECTIONS = 20_000


@dataclass(frozen=True, eq=False)
class Seen:
    """The features of the M pictures that the network could be shown."""

    number_M: np.ndarray
    """Which picture of the survey each is."""

    source: Source
    workers: int = 1

    @cached_property
    def unit_MR(self) -> np.ndarray:
        """The features in few directions, brought to length 1."""
        pictures, _, width = self.source.shape
        step = -(-pictures // _LEARNED_DIRECTIONS)
        some_SD = np.concatenate([self._read(at)[:: step or 1] for at in self._blocks()])
        mean_D = some_SD.mean(0)
        some_SD -= mean_D
        _, direction_DD = np.linalg.eigh(some_SD.T @ some_SD)
        kept_DR = direction_DD[:, -min(DIRECTIONS, width) :].astype(np.float32)
        unit_MR = np.concatenate([(self._read(at) - mean_D) @ kept_DR for at in self._blocks()])
        length_M = np.linalg.norm(unit_MR, axis=1, keepdims=True)
        return np.ascontiguousarray(unit_MR / np.maximum(length_M, 1e-12), np.float32)

    @cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """The nearest pictures of each, as positions here (-1: none), and how far they are."""
        return neighbours(self.unit_MR, NEAREST, workers=self.workers)

    def _blocks(self) -> Sequence[int]:
        return range(0, self.source.shape[0], _BLOCK)

    def _read(self, start: int) -> np.ndarray:
        stop = min(start + _BLOCK, self.source.shape[0])
        features_MD: np.ndarray = self.source.read(start, stop)[:, 0]
        return features_MD


def see(
    survey: Survey, data: Data, classifier: Classifier, head: HeadConfig, compute: ComputeConfig
) -> Survey:
    """The survey with the features of its pictures."""
    sources, numbers = [], []
    for index, split in enumerate(data.splits()):
        features = extract(classifier, split, head, compute)
        first = int((survey.split_N < index).sum())
        sources.append(features)
        numbers.append(first + features.row_N)
    seen = Seen(
        np.concatenate(numbers), Joined(tuple(sources)), max(1, compute.dataloader_num_workers)
    )
    return replace(survey, seen=seen)


@dataclass(frozen=True, eq=False)
class Joined:
    """Several sources as one, one after the other."""

    parts: tuple[Source, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        return sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:]

    def read(self, start: int, stop: int) -> np.ndarray:
        found = [np.zeros((0, *self.shape[1:]), np.float32)]
        for part in self.parts:
            length = part.shape[0]
            if start < min(stop, length) and stop > 0:
                found.append(part.read(max(start, 0), min(stop, length)))
            start, stop = max(start - length, 0), stop - length
        return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some rows of a source, in order."""

    source: Source
    row_M: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.row_M), *self.source.shape[1:]

    def read(self, start: int, stop: int) -> np.ndarray:
        rows = self.row_M[start:stop]
        if not len(rows):
            return np.zeros((0, *self.source.shape[1:]), np.float32)
        features_BVD: np.ndarray = self.source.read(int(rows[0]), int(rows[-1]) + 1)[rows - rows[0]]
        return features_BVD


def unseen_chances(survey: Survey, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """(rows of `seen`, chance_JK): how likely each class is to a head that did not learn from the
    picture. Pictures without a label, and those that are alone in their class, are left out; so are
    all where there are too few to learn from."""
    classes = len(survey.labels)
    label_M = survey.label_N[seen.number_M]
    rows = np.flatnonzero(label_M != NO_LABEL)
    label_J, key_J = label_M[rows], survey.key_N[seen.number_M][rows]
    fold_J, folds = folds_of(key_J, label_J, HeadConfig().folds, seed=0)
    chance_JK = np.zeros((len(rows), classes))
    strength: float | None = None
    with Pace("Asking heads that did not see the pictures", folds or 1, unit="folds") as pace:
        for fold in range(folds):
            learned, asked = np.flatnonzero(fold_J != fold), np.flatnonzero(fold_J == fold)
            there, label_L = np.unique(label_J[learned], return_inverse=True)
            if len(there) < 2:
                return rows[:0], chance_JK[:0]
            fit = fit_head(
                Chosen(seen.source, rows[learned]),
                key_J[learned],
                label_L,
                classes=len(there),
                config=HeadConfig(regularization=strength),
            )
            strength = fit.regularization  # chosen once, by the first fold
            source = Chosen(seen.source, rows[asked])
            for start in range(0, len(asked), _BLOCK):
                some = asked[start : start + _BLOCK]
                features_BD = source.read(start, start + len(some))[:, 0]
                bias_K = 0 if fit.bias_K is None else fit.bias_K
                chance_JK[some[:, None], there] = _softmax(features_BD @ fit.weight_KD.T + bias_K)
            pace.advance(1)
    judged = fold_J != NEVER
    return rows[judged], chance_JK[judged]


def _softmax(logits_BK: np.ndarray) -> np.ndarray:
    odds_BK = np.exp(logits_BK - logits_BK.max(1, keepdims=True))
    shares_BK: np.ndarray = odds_BK / odds_BK.sum(1, keepdims=True)
    return shares_BK
