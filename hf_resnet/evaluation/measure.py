"""A classifier measured on a split: figures with intervals, classes, mistakes, every outcome.

Truth and answers meet by class name. Macro F1 is the mean over the classes that have pictures in
the split: a class without any has no F1 to speak of, and one that the model makes up is already
paid for by the recall of the class it was taken for.
"""

import numpy as np
from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Split
from hf_resnet.engine import Answering
from hf_resnet.errors import listed
from hf_resnet.evaluation.answers import Answers, answers, stored_answers
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.evaluation.measured import ClassFigures, Measured, Mistake, Outcome
from hf_resnet.labels import Labels
from hf_resnet.metrics import (
    METRICS,
    confusion_matrix,
    most_confused,
    per_class_of,
    reliability,
    softmax,
)
from hf_resnet.metrics.arrays import Array, IntArray
from hf_resnet.metrics.intervals import wilson


def measure(
    model: Classifier | Answering,
    split: Split,
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
    *,
    head: HeadConfig | None = None,
) -> Measured:
    """Measure on every usable picture; with an accelerator, on all processes together.

    head names the store of features: where it is given, pictures that the store has are not put
    through the network again, and the others are put there.

    Each process gets the whole result. LabelError where the data has classes that the model lacks,
    DataError where no picture is left.
    """
    number_of = model_numbers(split.labels, model.labels)
    if head is None or isinstance(model, Answering):
        found = answers(model, split, compute, accelerator)
    else:
        found = stored_answers(model, split, head, compute, accelerator)
    return measured(found.numbered(number_of), number_of, model.labels, split.name)


def measured(found: Answers, number_of: IntArray, labels: Labels, split: str) -> Measured:
    """What answers, numbered as the model numbers its classes, come to; number_of are those that the
    data has."""
    truth_N, answers_N = found.truth_N, found.logits_NK.argmax(axis=1)
    listed_K = _listed_classes(number_of, answers_N)
    matrix_KK = confusion_matrix(
        _place(listed_K, truth_N), _place(listed_K, answers_N), len(listed_K)
    )
    names = tuple(labels.names[k] for k in listed_K)
    shares_NK = softmax(found.logits_NK).astype(np.float32)
    return Measured(
        split=split,
        names=names,
        figures=_figures(truth_N, found.logits_NK, shares_NK),
        classes=_classes(matrix_KK, names)[: len(number_of)],
        confused=tuple(
            Mistake(names[each.truth], names[each.answer], each.count, each.share)
            for each in most_confused(matrix_KK)
        ),
        bad=found.bad,
        outcomes=_outcomes(found, shares_NK.max(axis=1), labels),
        notes=_notes(matrix_KK, names, len(number_of), len(labels)),
        matrix_KK=matrix_KK,
        steps=tuple(reliability(truth_N, shares_NK)),
    )


def _listed_classes(number_of: IntArray, answers_N: IntArray) -> IntArray:
    """The data's classes in the model's order, then others that were answered."""
    known_K = np.sort(number_of)
    return np.concatenate([known_K, np.setdiff1d(answers_N, known_K)])


def _place(listed_K: IntArray, numbers_N: IntArray) -> IntArray:
    """Where in the list each number stands."""
    order_K = np.argsort(listed_K)
    place: IntArray = order_K[np.searchsorted(listed_K, numbers_N, sorter=order_K)]
    return place


def _figures(truth_N: IntArray, logits_NK: Array, shares_NK: Array) -> dict[str, Figure]:
    """Every headline figure that says something about so many classes."""
    given = {
        "answers": logits_NK.argmax(axis=1),
        "logits": logits_NK,
        "probabilities": shares_NK,
    }
    present = np.unique(truth_N)
    figures = {}
    for name, metric in METRICS.items():
        if logits_NK.shape[1] <= metric.above_classes or len(present) < metric.present_classes:
            continue
        options = {"among": present} if metric.averages_classes else {}
        value = metric.value(truth_N, given[metric.takes], **options)
        interval = metric.interval(truth_N, given[metric.takes], **options)
        figures[name] = Figure(
            metric.title, value, interval.low, interval.high, len(truth_N), metric.is_share
        )
    return figures


def _classes(matrix_KK: IntArray, names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    each, right_K = per_class_of(matrix_KK), np.diagonal(matrix_KK)
    return tuple(
        ClassFigures(
            name=name,
            pictures=int(each.support_K[k]),
            answered=int(each.answered_K[k]),
            precision=float(each.precision_K[k]),
            recall=float(each.recall_K[k]),
            f1=float(each.f1_K[k]),
            **_interval("precision", right_K[k], each.answered_K[k]),
            **_interval("recall", right_K[k], each.support_K[k]),
        )
        for k, name in enumerate(names)
    )


def _interval(name: str, right: int, n: int) -> dict[str, float]:
    """Of a share of n pictures; nothing where there are none."""
    if not n:
        return {}
    interval = wilson(int(right), int(n))
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _outcomes(found: Answers, likely_N: Array, labels: Labels) -> tuple[Outcome, ...]:
    answers_N = found.logits_NK.argmax(axis=1)
    return tuple(
        Outcome(
            key=found.keys[i],
            origin=found.origins[i],
            truth=labels.names[found.truth_N[i]],
            prediction=labels.names[answers_N[i]],
            probability=float(likely_N[i]),
        )
        for i in range(len(answers_N))
    )


def _notes(
    matrix_KK: IntArray, names: tuple[str, ...], of_data: int, of_model: int
) -> tuple[str, ...]:
    notes = []
    if extra := of_model - of_data:
        stray = int(matrix_KK[:, of_data:].sum())
        notes.append(
            f"the model has {extra:,} classes that the data lacks; {stray:,} pictures were "
            "answered with one of them"
        )
    empty = [
        name for name, row_K in zip(names[:of_data], matrix_KK, strict=False) if not row_K.any()
    ]
    if empty:
        notes.append(f"without pictures here, and so not in macro F1: {listed(empty)}")
    return tuple(notes)
