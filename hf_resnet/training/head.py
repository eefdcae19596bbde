"""finetune --method head: the network stays as it is, and a new last layer is fitted on its features.

Under several processes each computes its share of the features; the main one fits, and hands the
head to the others, so that all return the same classifier.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig, OnBadImage
from hf_resnet.data import Data
from hf_resnet.engine import BadPicture
from hf_resnet.errors import DataError, listed
from hf_resnet.facts import ClassFact
from hf_resnet.head.features import Features, extract
from hf_resnet.head.fit import Fit, fit_head


@dataclass(frozen=True)
class Trained:
    """A classifier with its new head, the files that could not be used, and how it was made."""

    classifier: Classifier
    bad: tuple[BadPicture, ...]
    facts: dict[str, Any]
    learned: "Learned"


@dataclass(frozen=True, eq=False)
class Learned:
    """The usable pictures of the training split: where each stands in it, and its class."""

    row_N: np.ndarray
    label_N: np.ndarray
    class_weight_K: np.ndarray
    """How much a picture of each class counts; 1 on average over the pictures."""


def train_head(
    classifier: Classifier,
    data: Data,
    head: HeadConfig,
    compute: ComputeConfig,
    *,
    on_bad_image: OnBadImage = "skip",
    seed: int = 0,
    accelerator: Accelerator | None = None,
) -> Trained:
    """A classifier of the data's classes, on the same network."""
    if data.train is None:
        raise DataError(
            f"{data.source} has no pictures to learn from; name some with --train_dir, "
            "--train_file or --train_split_name"
        )
    if len(data.labels) < 2:
        raise DataError(
            f"a head tells at least 2 classes apart, and {data.source} has {len(data.labels)} "
            f"({listed(data.labels)}); add pictures of another class"
        )
    features = extract(
        classifier,
        data.train,
        head,
        compute,
        on_bad_image=on_bad_image,
        seed=seed,
        accelerator=accelerator,
    )
    counts_K = _counts(features, data)
    intercept = classifier.network.bias_K is not None
    fit = _fitted(features, len(data.labels), head, intercept, seed, accelerator)
    facts = {
        "method": "head",
        "pictures": len(features.key_N),
        "views": head.views,
        "seed": seed,
        **fit.facts(),
    }
    changed = classifier.with_head(
        data.labels,
        torch.from_numpy(fit.weight_KD),
        None if fit.bias_K is None else torch.from_numpy(fit.bias_K),
        classifier.facts.with_(
            classes=tuple(
                ClassFact(name, "fitted", pictures=int(count))
                for name, count in zip(data.labels, counts_K, strict=True)
            ),
            training=facts,
            results={},
        ),
    )
    changed = replace(changed, feature_mean_D=torch.from_numpy(fit.feature_mean_D))
    learned = Learned(features.row_N, features.label_N, _weights(counts_K, fit.class_weight))
    return Trained(changed, features.bad, facts, learned)


def _weights(counts_K: np.ndarray, class_weight: str) -> np.ndarray:
    if class_weight == "none":
        return np.ones(len(counts_K))
    weight_K: np.ndarray = counts_K.sum() / (len(counts_K) * counts_K)
    return weight_K


def _counts(features: Features, data: Data) -> np.ndarray:
    """The usable pictures of each class; DataError where one has none."""
    counts_K = np.bincount(features.label_N, minlength=len(data.labels))
    empty = [name for name, count in zip(data.labels, counts_K, strict=True) if not count]
    if empty:
        first = f" (the first: {features.bad[0].origin}: {features.bad[0].reason})"
        unusable = f"; {len(features.bad)} files could not be used{first}" if features.bad else ""
        raise DataError(
            f"no usable picture of {listed(empty)} to learn from{unusable}; add some, or leave the "
            "class out"
        )
    return counts_K


def _fitted(
    features: Features,
    classes: int,
    head: HeadConfig,
    intercept: bool,
    seed: int,
    accelerator: Accelerator | None,
) -> Fit:
    """The fit of the main process, in every process."""
    result: list[Any] = [None]
    if accelerator is None or accelerator.is_main_process:
        result[0] = fit_head(
            features,
            features.key_N,
            features.label_N,
            classes=classes,
            config=head,
            intercept=intercept,
            seed=seed,
        )
    if accelerator is not None:
        broadcast_object_list(result)
    fit: Fit = result[0]
    return fit
