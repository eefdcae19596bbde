"""How good the answers are: one file a metric, plain functions on numpy arrays, no torch.

METRICS holds the headline figures: single numbers with a 95 % interval, most of them shares of which
more is better. A new one is a file with the figure and its interval as two functions of the same
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
from hf_resnet.metrics.auroc import auroc, auroc_interval, two_sided_auroc
from hf_resnet.metrics.balanced_accuracy import balanced_accuracy, balanced_accuracy_interval
from hf_resnet.metrics.calibration import (
    Bin,
    calibration_error,
    calibration_error_interval,
    reliability,
)
from hf_resnet.metrics.confusion import Confused, confusion_matrix, most_confused
from hf_resnet.metrics.f1 import (
    PerClass,
    macro_f1,
    macro_f1_interval,
    per_class,
    per_class_of,
    weighted_f1,
    weighted_f1_interval,
)
from hf_resnet.metrics.intervals import Interval, bootstrap, wilson
from hf_resnet.metrics.log_loss import log_loss, log_loss_interval, softmax
from hf_resnet.metrics.paired import difference_interval, mcnemar


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A headline figure: value(truth_N, X) and interval(truth_N, X), where X is what it takes."""

    title: str
    value: Callable[..., float]
    interval: Callable[..., Interval]
    takes: Literal["answers", "logits", "probabilities"]
    """answers_N, one class number a picture; or logits_NK or probabilities_NK, one number a picture
    and class."""

    best: float = 1.0
    """What it is for perfect answers that were given with certainty."""

    is_share: bool = True
    """Whether it is between 0 and 1, and read as per cent."""

    is_shown: bool = True
    """Whether it stands in the short table on the screen; all stand in the report."""

    above_classes: int = 1
    """It says something only where there are more classes than this,"""

    present_classes: int = 1
    """and where the pictures are of at least so many."""

    averages_classes: bool = False
    """It is a mean over classes; both functions take among=, the classes in that mean."""


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        value=accuracy,
        interval=accuracy_interval,
        takes="answers",
    ),
    "balanced_accuracy": Metric(
        title="Balanced accuracy",
        value=balanced_accuracy,
        interval=balanced_accuracy_interval,
        takes="answers",
        averages_classes=True,
    ),
    "top_5_accuracy": Metric(
        title="Top-5 accuracy",
        value=top_k_accuracy,
        interval=top_k_accuracy_interval,
        takes="logits",
        above_classes=5,
    ),
    "macro_f1": Metric(
        title="Macro F1",
        value=macro_f1,
        interval=macro_f1_interval,
        takes="answers",
        averages_classes=True,
    ),
    "weighted_f1": Metric(
        title="Weighted F1",
        value=weighted_f1,
        interval=weighted_f1_interval,
        takes="answers",
        is_shown=False,
    ),
    "auroc": Metric(
        title="AUROC, one class against the rest",
        value=auroc,
        interval=auroc_interval,
        takes="probabilities",
        is_shown=False,
        present_classes=2,
    ),
    "log_loss": Metric(
        title="Log loss",
        value=log_loss,
        interval=log_loss_interval,
        takes="logits",
        best=0.0,
        is_share=False,
        is_shown=False,
    ),
    "ece": Metric(
        title="Calibration error",
        value=calibration_error,
        interval=calibration_error_interval,
        takes="probabilities",
        best=0.0,
    ),
}

__all__ = [
    "METRICS",
    "Bin",
    "Confused",
    "Interval",
    "Metric",
    "PerClass",
    "accuracy",
    "accuracy_interval",
    "auroc",
    "auroc_interval",
    "balanced_accuracy",
    "balanced_accuracy_interval",
    "bootstrap",
    "calibration_error",
    "calibration_error_interval",
    "confusion_matrix",
    "difference_interval",
    "log_loss",
    "log_loss_interval",
    "macro_f1",
    "macro_f1_interval",
    "mcnemar",
    "most_confused",
    "per_class",
    "per_class_of",
    "reliability",
    "softmax",
    "top_k_accuracy",
    "top_k_accuracy_interval",
    "two_sided_auroc",
    "weighted_f1",
    "weighted_f1_interval",
    "wilson",
]
