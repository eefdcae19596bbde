"""Log loss: how surprised a classifier is by the truth, in nats. 0 is best, ln K a guess."""

import numpy as np

from hf_resnet.metrics.arrays import Array, IntArray


def log_loss(truth_N: IntArray, logits_NK: Array) -> float:
    """The mean of minus the logarithm of the probability given to the true class."""
    logits_NK = logits_NK.astype(np.float64)
    below_NK = logits_NK - logits_NK.max(axis=1, keepdims=True)
    log_sum_N = np.log(np.exp(below_NK).sum(axis=1))
    return float((log_sum_N - below_NK[np.arange(len(truth_N)), truth_N]).mean())
