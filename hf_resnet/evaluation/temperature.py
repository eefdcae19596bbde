"""Temperature scaling (Guo et al. 2017): one number that the logits are divided by.

The answers stay the same, only how sure they are changes. Fitted so that the log loss is least, which
has one bottom, since it is convex in 1 / T. Divided into the weights of the last layer it costs
nothing, and every program that opens the model gives calibrated probabilities.
"""

import numpy as np

from hf_resnet.classifier import Classifier
from hf_resnet.errors import ConfigError, counted
from hf_resnet.evaluation.studies import Calibration
from hf_resnet.metrics import calibration_error, log_loss, softmax
from hf_resnet.metrics.arrays import Array, FloatArray, IntArray

LEAST, MOST = 0.05, 20.0
FEWEST = 20
FOLDS = 5


def calibrated(
    classifier: Classifier, truth_N: IntArray, logits_NK: Array, split: str
) -> tuple[Classifier, Calibration]:
    """The classifier with a temperature in its last layer; ConfigError where that would not help.

    Whether it helps is judged on pictures that it was not fitted on: each fifth of them in its turn.
    """
    n = len(truth_N)
    if n < FEWEST:
        raise ConfigError(
            f"--calibrate needs at least {FEWEST} {split} pictures, got {n}; give more with "
            "--validation_dir, or leave it out"
        )
    divided_NK = _divided_by_others(truth_N, logits_NK)
    before, after = log_loss(truth_N, logits_NK), log_loss(truth_N, divided_NK)
    if after >= before:
        raise ConfigError(
            f"--calibrate would not help: on {counted(n, f'{split} picture')} that it was not fitted "
            f"on the log loss would be {after:.4f} where it is {before:.4f}; the model is as well "
            "calibrated as one temperature can make it, so leave it out"
        )
    temperature = fitted_temperature(truth_N, logits_NK)
    record = Calibration(
        temperature=temperature,
        n=n,
        split=split,
        ece_before=calibration_error(truth_N, softmax(logits_NK)),
        ece_after=calibration_error(truth_N, softmax(divided_NK)),
        log_loss_before=before,
        log_loss_after=after,
    )
    return folded(classifier, temperature), record


def folded(classifier: Classifier, temperature: float) -> Classifier:
    """The same network with logits divided by the temperature."""
    network = classifier.network
    bias_K = None if network.bias_K is None else network.bias_K / temperature
    weight_KD = network.weight_KD / temperature
    return classifier.with_head(classifier.labels, weight_KD, bias_K, classifier.facts)


def fitted_temperature(truth_N: IntArray, logits_NK: Array) -> float:
    """The temperature of the least log loss, within LEAST and MOST, by halving the slope's bracket."""
    shifted_NK = logits_NK.astype(np.float64) - logits_NK.max(axis=1, keepdims=True)
    true_N = shifted_NK[np.arange(len(truth_N)), truth_N]
    cold, hot = 1 / MOST, 1 / LEAST  # of 1 / T, in which the loss is convex
    for _ in range(60):
        middle = (cold + hot) / 2
        expected_N = (softmax(middle * shifted_NK) * shifted_NK).sum(axis=1)
        if (expected_N - true_N).mean() > 0:
            hot = middle
        else:
            cold = middle
    return float(2 / (cold + hot))


def _divided_by_others(truth_N: IntArray, logits_NK: Array) -> FloatArray:
    """The logits of each fifth divided by the temperature of the others, mixed by a fixed seed."""
    divided_NK = logits_NK.astype(np.float64)
    fold_N = np.random.default_rng(0).permutation(len(truth_N)) % FOLDS
    for fold in range(FOLDS):
        others_N = fold_N != fold
        divided_NK[~others_N] /= fitted_temperature(truth_N[others_N], logits_NK[others_N])
    return divided_NK
