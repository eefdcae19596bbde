"""What is said of a picture: a class, and how likely it is. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """One class and how likely it is."""

    label: str
    probability: float


def likeliest(names: Sequence[str], probabilities_K: np.ndarray, top_k: int) -> list[Prediction]:
    """The top_k classes of a row of probabilities, likeliest first."""
    order = np.argsort(-probabilities_K, kind="stable")[:top_k]
    return [Prediction(names[k], float(probabilities_K[k])) for k in order]


def softmax(logits_BK: np.ndarray) -> np.ndarray:
    """One row of probabilities for each row of logits."""
    odds_BK = np.exp(logits_BK - logits_BK.max(axis=1, keepdims=True))
    shares_BK: np.ndarray = odds_BK / odds_BK.sum(axis=1, keepdims=True)
    return shares_BK
