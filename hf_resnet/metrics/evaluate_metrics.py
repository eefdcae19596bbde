"""Every metric as an `evaluate.Metric`, built without the Hub: no script is fetched, none is run.

    import evaluate
    from hf_resnet.metrics.evaluate_metrics import load

    suite = evaluate.combine([load("accuracy"), load("macro_f1"), load("top_k_accuracy", k=3)])
    suite.add_batch(predictions=scores_NK, references=truth_N)
    suite.compute()        # {"accuracy": 0.91, "macro_f1": 0.9, "top_3_accuracy": 0.98}

Predictions are class numbers or, for every metric, scores with one column a class; those in
NEED_SCORES can only do with scores. Scores whose rows are from 0 up with the sum 1 are probabilities,
any others logits. Options belong to `load` and not to `compute`, because what `combine` gives
to compute goes to all of its metrics alike.

Only this file imports `evaluate`, which costs seconds.
"""

import inspect
from collections.abc import Callable
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_resnet.metrics.accuracy import accuracy, top_k_accuracy
from hf_resnet.metrics.arrays import Array, FloatArray, IntArray
from hf_resnet.metrics.auroc import auroc
from hf_resnet.metrics.balanced_accuracy import balanced_accuracy
from hf_resnet.metrics.calibration import BINS, calibration_error
from hf_resnet.metrics.confusion import confusion_matrix
from hf_resnet.metrics.f1 import macro_f1, per_class, weighted_f1
from hf_resnet.metrics.log_loss import log_loss, softmax

Compute = Callable[..., dict[str, Any]]

ANSWERS = datasets.Features(
    {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
)
SCORES = datasets.Features(
    {
        "predictions": datasets.Sequence(datasets.Value("float64")),
        "references": datasets.Value("int64"),
    }
)


class PlainMetric(evaluate.Metric):  # type: ignore[misc]
    """One plain function as an evaluate.Metric. Made by `load`."""

    def __init__(self, chosen: str, options: dict[str, Any], settings: dict[str, Any]) -> None:
        self.chosen = chosen
        self.options = options
        super().__init__(**settings)

    @property
    def name(self) -> str:
        """What `combine` puts before a key that several metrics share."""
        return self.chosen

    def _info(self) -> evaluate.MetricInfo:
        text = COMPUTES[self.chosen].__doc__ or ""
        return evaluate.MetricInfo(
            description=text,
            citation="",
            inputs_description=f"{text}\n\nArgs: predictions (class numbers, or scores with one "
            "column a class) and references (class numbers).",
            features=[SCORES] if self.chosen in NEED_SCORES else [ANSWERS, SCORES],
        )

    def _compute(self, *, predictions: Array, references: Array) -> dict[str, Any]:
        compute = COMPUTES[self.chosen]
        return compute(np.asarray(references), np.asarray(predictions), **self.options)


def load(
    name: str, *, evaluate_settings: dict[str, Any] | None = None, **options: Any
) -> PlainMetric:
    """The metric of this name, with its options: load("top_k_accuracy", k=3).

    `evaluate_settings` are evaluate.Metric's own (num_process, process_id, experiment_id, …). On
    one process the predictions are kept in memory, so that no file is written to a cache folder.
    """
    if name not in COMPUTES:
        raise ValueError(f"no metric is called {name!r}; there are {', '.join(COMPUTES)}")
    inspect.signature(COMPUTES[name]).bind(None, None, **options)  # a wrong option fails here
    settings = dict(evaluate_settings or {})
    settings.setdefault("keep_in_memory", settings.get("num_process", 1) == 1)
    return PlainMetric(name, options, settings)


def _accuracy(truth_N: IntArray, predictions: Array) -> dict[str, Any]:
    """The share of pictures answered rightly."""
    return {"accuracy": accuracy(truth_N, _answers(predictions))}


def _top_k_accuracy(truth_N: IntArray, predictions: Array, k: int = 5) -> dict[str, Any]:
    """The share of pictures whose true class is among the k with the highest scores."""
    return {f"top_{k}_accuracy": top_k_accuracy(truth_N, predictions, k)}


def _macro_f1(
    truth_N: IntArray, predictions: Array, among: list[int] | None = None
) -> dict[str, Any]:
    """The plain mean of the classes' F1; option among: the classes in the mean."""
    return {"macro_f1": macro_f1(truth_N, _answers(predictions), among)}


def _balanced_accuracy(
    truth_N: IntArray, predictions: Array, among: list[int] | None = None
) -> dict[str, Any]:
    """The plain mean of the classes' recall; option among: the classes in the mean."""
    return {"balanced_accuracy": balanced_accuracy(truth_N, _answers(predictions), among)}


def _weighted_f1(truth_N: IntArray, predictions: Array) -> dict[str, Any]:
    """The mean of the classes' F1, weighted with their pictures."""
    return {"weighted_f1": weighted_f1(truth_N, _answers(predictions))}


def _auroc(truth_N: IntArray, predictions: Array) -> dict[str, Any]:
    """The area under the ROC curve of each class against the rest, averaged."""
    return {"auroc": auroc(truth_N, _probabilities(predictions))}


def _log_loss(truth_N: IntArray, predictions: Array) -> dict[str, Any]:
    """The mean of minus the logarithm of the probability given to the true class."""
    if _are_probabilities(predictions):
        # clipped as scikit-learn does: what was held for impossible costs much, and not everything
        predictions = np.log(np.maximum(predictions, np.finfo(predictions.dtype).eps))
    return {"log_loss": log_loss(truth_N, predictions)}


def _ece(truth_N: IntArray, predictions: Array, bins: int = BINS) -> dict[str, Any]:
    """The expected calibration error; option bins: the steps of probability."""
    return {"ece": calibration_error(truth_N, _probabilities(predictions), bins)}


def _per_class(truth_N: IntArray, predictions: Array, classes: int | None = None) -> dict[str, Any]:
    """Precision, recall, F1 and support, a list each; option classes: how many there are."""
    answers_N = _answers(predictions)
    figures = per_class(truth_N, answers_N, _classes(truth_N, predictions, classes))
    return {
        "precision": figures.precision_K.tolist(),
        "recall": figures.recall_K.tolist(),
        "f1": figures.f1_K.tolist(),
        "support": figures.support_K.tolist(),
    }


def _confusion_matrix(
    truth_N: IntArray, predictions: Array, classes: int | None = None
) -> dict[str, Any]:
    """How many pictures of class [row] were answered as [column]; option classes as above."""
    count = _classes(truth_N, predictions, classes)
    return {"confusion_matrix": confusion_matrix(truth_N, _answers(predictions), count).tolist()}


COMPUTES: dict[str, Compute] = {
    "accuracy": _accuracy,
    "top_k_accuracy": _top_k_accuracy,
    "macro_f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "weighted_f1": _weighted_f1,
    "auroc": _auroc,
    "log_loss": _log_loss,
    "ece": _ece,
    "per_class": _per_class,
    "confusion_matrix": _confusion_matrix,
}
NEED_SCORES = {"top_k_accuracy", "auroc", "log_loss", "ece"}


def _answers(predictions: Array) -> Array:
    return predictions.argmax(axis=1) if predictions.ndim == 2 else predictions


def _probabilities(scores_NK: Array) -> FloatArray:
    return scores_NK.astype(np.float64) if _are_probabilities(scores_NK) else softmax(scores_NK)


def _are_probabilities(scores_NK: Array) -> bool:
    return bool(scores_NK.min() >= 0 and np.abs(scores_NK.sum(axis=1) - 1).max() < 1e-3)


def _classes(truth_N: IntArray, predictions: Array, classes: int | None) -> int:
    """As many as asked for; else as the scores have columns; else as the numbers speak of."""
    if classes is not None:
        return classes
    if predictions.ndim == 2:
        return int(predictions.shape[1])
    return int(max(truth_N.max(), predictions.max())) + 1
