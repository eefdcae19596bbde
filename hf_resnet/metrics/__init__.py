"""How good the answers are: one file a metric, plain functions on numpy arrays, no torch.

METRICS holds the headline figures: single numbers between 0 and 1, larger is better, each with a
95 % interval. A new one is a file with the figure and its interval as two functions of the same
arguments, and a line here; the contract test and the report find it on their own. The functions
that give more than a number (per_class, confusion_matrix) stand beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hf_resnet.metrics.accuracy import (
    accuracy,
    accuracy_interval,
    top_k_accuracy,
    top_k_accuracy_interval,
)
from hf_resnet.metrics.confusion import Confused, confusion_matrix, most_confused
from hf_resnet.metrics.f1 import PerClass, macro_f1, macro_f1_interval, per_class, per_class_of
from hf_resnet.metrics.intervals import Interval, bootstrap, wilson


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A headline figure: value(truth_N, X) and interval(truth_N, X), where X is what it takes."""

    title: str
    value: Callable[..., float]
    interval: Callable[..., Interval]
    takes: Literal["answers", "scores"]
    """answers_N, one class number a picture; or scores_NK, one number a picture and class."""

    above_classes: int = 1
    """It says something only where there are more classes than this."""

    averages_classes: bool = False
    """It is a mean over classes; both functions take among=, the classes in that mean."""


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        value=accuracy,
        interval=accuracy_interval,
        takes="answers",
    ),
    "top_5_accuracy": Metric(
        title="Top-5 accuracy",
        value=top_k_accuracy,
        interval=top_k_accuracy_interval,
        takes="scores",
        above_classes=5,
    ),
    "macro_f1": Metric(
        title="Macro F1",
        value=macro_f1,
        interval=macro_f1_interval,
        takes="answers",
        averages_classes=True,
    ),
}

__all__ = [
    "METRICS",
    "Confused",
    "Interval",
    "Metric",
    "PerClass",
    "accuracy",
    "accuracy_interval",
    "bootstrap",
    "confusion_matrix",
    "macro_f1",
    "macro_f1_interval",
    "most_confused",
    "per_class",
    "per_class_of",
    "top_k_accuracy",
    "top_k_accuracy_interval",
    "wilson",
]
