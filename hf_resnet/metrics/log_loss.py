"""Log loss: how surprised a classifier is by the truth, in nats. 0 is best, ln K a guess."""

import numpy as np

from hf_resnet.metrics.arrays import Array, FloatArray, IntArray, scored
from hf_resnet.metrics.intervals import Interval, drawn_anew, holding, middle_of


def log_loss(truth_N: IntArray, logits_NK: Array) -> float:
    """The mean of minus the logarithm of the probability given to the true class."""
    return float(log_losses(truth_N, logits_NK).mean())


def log_loss_interval(truth_N: IntArray, logits_NK: Array, *, seed: int = 0) -> Interval:
    """By stratified bootstrap. About one picture of each resample is guessed at instead, or a few
    pictures that are all right would leave no doubt."""
    loss_N = log_losses(truth_N, logits_NK)
    value, n = float(loss_N.mean()), len(loss_N)
    sum_R = np.zeros(1000)
    for part, index_RM in drawn_anew(np.asarray(truth_N), resamples=len(sum_R), seed=seed):
        sum_R[part] += loss_N[index_RM].sum(axis=1)
    guessed_R = np.random.default_rng(seed).binomial(n, 1 / (n + 1), size=len(sum_R))
    sum_R += guessed_R * (np.log(np.shape(logits_NK)[1]) - value)
    return holding(value, middle_of(sum_R / n))


def log_losses(truth_N: IntArray, logits_NK: Array) -> FloatArray:
    """The loss of each picture."""
    truth_N, logits_NK = scored(truth_N, logits_NK)
    below_NK = logits_NK.astype(np.float64) - logits_NK.max(axis=1, keepdims=True)
    log_sum_N = np.log(np.exp(below_NK).sum(axis=1))
    loss_N: FloatArray = log_sum_N - below_NK[np.arange(len(truth_N)), truth_N]
    return loss_N


def softmax(logits_NK: Array) -> FloatArray:
    """The probabilities that logits stand for."""
    odds_NK = np.exp(logits_NK.astype(np.float64) - logits_NK.max(axis=1, keepdims=True))
    share_NK: FloatArray = odds_NK / odds_NK.sum(axis=1, keepdims=True)
    return share_NK
