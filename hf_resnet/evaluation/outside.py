"""Not one of these: whether a model's doubt tells pictures of other classes from those of its own.

Two scores, each larger for what it knows: the largest probability (Hendrycks and Gimpel 2017), and the
energy, the logarithm of the sum of the exponentials of the logits (Liu et al. 2020). AUROC: how often
a picture of its classes scores higher than one of none; 50 % is a guess. Pictures outside that are
very unlike the others, digits against photos, are told apart easily, and that says little.
"""

import numpy as np
from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Split
from hf_resnet.engine import Answering
from hf_resnet.evaluation.answers import Look, answers
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.studies import Outside
from hf_resnet.metrics import softmax, two_sided_auroc
from hf_resnet.metrics.arrays import Array, FloatArray


def outside_of(
    model: Classifier | Answering,
    outside: Split,
    inside: tuple[str, Array],
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
) -> Outside:
    """The pictures of none of its classes, against the logits of those that are; `inside` begins with
    the name under which the others are told of."""
    source, inside_NK = inside
    found = answers(model, outside, compute, accelerator, Look(needs_class=False))
    outside_MK = found.logits_NK
    areas = []
    for title, score in (("AUROC of max-softmax", _sureness), ("AUROC of energy", _energy)):
        area, interval = two_sided_auroc(score(inside_NK), score(outside_MK))
        count = len(inside_NK) + len(outside_MK)
        areas.append(Figure(title, area, interval.low, interval.high, count))
    softest, energy = areas
    return Outside(source, len(outside_MK), len(inside_NK), softest, energy, len(found.bad))


def _sureness(logits_NK: Array) -> FloatArray:
    # less what all but the likeliest have: near 1 that keeps apart what rounding would make equal
    shares_NK = softmax(logits_NK)
    np.put_along_axis(shares_NK, shares_NK.argmax(axis=1)[:, None], 0, axis=1)
    doubt_N: FloatArray = shares_NK.sum(axis=1)
    return -doubt_N


def _energy(logits_NK: Array) -> FloatArray:
    most_N = logits_NK.max(axis=1).astype(np.float64)
    energy_N: FloatArray = most_N + np.log(np.exp(logits_NK - most_N[:, None]).sum(axis=1))
    return energy_N
