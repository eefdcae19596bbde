"""Accuracy on pictures that are changed as the world changes them, against the same pictures plain.

The changes are those of `corruptions`, a fixed suite, so that figures of two models can be compared.
"""

from functools import partial

import numpy as np
from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.corruptions import CORRUPTIONS, STRENGTHS, Pixels, corrupted
from hf_resnet.data import Split
from hf_resnet.data.splits import drawn
from hf_resnet.engine import Answering
from hf_resnet.evaluation.answers import Answers, Look, answers, made_ready
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.studies import Changed, Robustness
from hf_resnet.metrics.arrays import IntArray
from hf_resnet.progress import Pace


def robustness_of(
    model: Classifier | Answering,
    split: Split,
    plain: Answers,
    how: tuple[IntArray, int],
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
) -> Robustness:
    """Of at most so many pictures, drawn evenly from the classes; `plain` are the answers to the split
    as it is, and `how` the model's number for each class of it, and how many pictures to take."""
    number_of, most = how
    chosen = drawn(plain.keys, plain.truth_N.tolist(), min(most, len(plain.keys)), seed=0)
    only = frozenset(plain.keys[at] for at in chosen)
    in_it_N = np.array([key in only for key in plain.keys])
    clean_N = (plain.logits_NK.argmax(axis=1) == plain.truth_N)[in_it_N]
    clean = Figure.of_share("Accuracy", int(clean_N.sum()), len(clean_N))
    # a split that is stored is read no further than these, 33 times; a stream comes as a whole
    few = split.taking(plain.number_N[in_it_N].tolist()) or split
    changed, ready = [], made_ready(model, compute, accelerator)
    main = accelerator is None or accelerator.is_main_process
    total = len(CORRUPTIONS) * len(STRENGTHS) * len(clean_N)
    with Pace("Measuring on changed pictures", total, shown=main) as pace:
        for kind in CORRUPTIONS:
            for strength in STRENGTHS:
                look = Look(change=partial(_change, kind, strength), only=only, quiet=True)
                found = answers(ready, few, compute, accelerator, look).numbered(number_of)
                right = int((found.logits_NK.argmax(axis=1) == found.truth_N).sum())
                accuracy = Figure.of_share("Accuracy", right, len(found.keys))
                changed.append(Changed(kind, strength, accuracy))
                pace.advance(len(found.keys))
    return Robustness(clean, tuple(changed))


def _change(kind: str, strength: int, pixels_HWC: Pixels, key: str) -> Pixels:
    return corrupted(pixels_HWC, kind, strength, key)
