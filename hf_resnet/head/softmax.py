"""The objective of a head: how badly it explains the labels, plus a penalty on long weights.

    sum over pictures of weight · cross-entropy  +  regularization / 2 · |weights|²

with weights that sum to 1, so that a strength means the same for ten pictures and for a million.
Biases are not penalised. Several problems that differ only in what they leave out (the folds of a
cross-validation) are worked out together: they are laid side by side as further classes, and a
single product serves them all. Sums within a block are in single precision, the rest in double.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hf_resnet.head.blocks import StandardRows
from hf_resnet.head.lbfgs import Place

LEAVES_NONE = -2


@dataclass(frozen=True)
class Problems:
    """P heads of K classes to fit on the same rows, each on all but one fold."""

    rows: StandardRows
    label_N: np.ndarray
    weight_N: np.ndarray
    """What each picture counts for; its views share that."""

    fold_N: np.ndarray
    left_out_P: np.ndarray
    """The fold that each problem does not learn from; LEAVES_NONE learns from all."""

    classes: int
    intercept: bool

    @property
    def start(self) -> Place:
        """All weights zero, where every class is alike likely."""
        count = len(self.left_out_P)
        points_PN = np.zeros((count, self.classes * (self.rows.width + self.intercept)))
        return Place(points_PN, np.full(count, 1 / self.classes))

    @cached_property
    def total_P(self) -> np.ndarray:
        """The weight that each problem learns from."""
        learns_NP = self.fold_N[:, None] != self.left_out_P
        total: np.ndarray = self.weight_N @ learns_NP
        return total

    def split(self, points_PN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """weight_PKD and bias_PK (zeros without intercept) of the problems' numbers."""
        table = points_PN.reshape(len(points_PN), self.classes, self.rows.width + self.intercept)
        bias_PK = table[:, :, -1] if self.intercept else np.zeros(table.shape[:2])
        return table[:, :, : self.rows.width], bias_PK

    def objective(
        self, points_PN: np.ndarray, which_P: np.ndarray, regularization: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Value and gradient of some of the problems, in one pass over the rows."""
        weight_PKD, bias_PK = self.split(points_PN)
        flat, offset = _flat(weight_PKD, bias_PK)
        left_out_P1 = self.left_out_P[which_P, None]
        share_P1 = 1 / (self.total_P[which_P, None] * self.rows.views)

        def block(span: slice, rows_RD: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            label_R = np.repeat(self.label_N[span], self.rows.views)
            counts_PB = (self.fold_N[span] != left_out_P1) * self.weight_N[span] * share_P1
            counts_PR = np.repeat(counts_PB, self.rows.views, axis=1).astype(np.float32)
            pull_PKR, surprise_PR = _softmax(flat, offset, rows_RD, label_R)
            loss_P = np.einsum("pr,pr->p", counts_PR, surprise_PR, dtype=np.float64)
            pull_PKR[:, label_R, np.arange(len(label_R))] -= 1
            pull_PKR *= counts_PR[:, None]
            return loss_P, pull_PKR.reshape(len(flat), -1) @ rows_RD, pull_PKR.sum(2)

        value_P = regularization / 2 * np.einsum("pkd,pkd->p", weight_PKD, weight_PKD)
        gradient = np.zeros_like(points_PN)
        by_weight, by_bias = self.split(gradient)
        by_weight += regularization * weight_PKD
        for loss_P, by_flat, by_offset in self.rows.map(block):
            value_P += loss_P
            by_weight += by_flat.reshape(weight_PKD.shape)
            by_bias += by_offset
        return value_P, gradient

    def held_out(self, points_PN: np.ndarray) -> tuple[float, float, float]:
        """Sums over the pictures left out, without their views: weight, weight · log loss, and the
        weight of those told right.
        """
        flat, offset = _flat(*self.split(points_PN))

        def block(span: slice, rows_RD: np.ndarray) -> np.ndarray:
            label_B = self.label_N[span]
            counts_PB = (self.fold_N[span] == self.left_out_P[:, None]) * self.weight_N[span]
            plain_BD = rows_RD[:: self.rows.views]
            chance_PKB, surprise_PB = _softmax(flat, offset, plain_BD, label_B)
            right_PB = chance_PKB.argmax(1) == label_B
            return np.array([(counts_PB * of).sum() for of in (1, surprise_PB, right_PB)])

        weight, loss, right = sum(self.rows.map(block), np.zeros(3))
        return float(weight), float(loss), float(right)


def _flat(weight_PKD: np.ndarray, bias_PK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All problems' classes below one another, in single precision."""
    flat = weight_PKD.reshape(-1, weight_PKD.shape[2]).astype(np.float32)
    return flat, bias_PK[:, :, None].astype(np.float32)


def _softmax(
    flat: np.ndarray, offset: np.ndarray, rows_RD: np.ndarray, label_R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """chance_PKR, and surprise_PR: the cross-entropy of each row."""
    chance_PKR = (flat @ rows_RD.T).reshape(len(offset), -1, len(rows_RD))
    chance_PKR += offset
    chance_PKR -= chance_PKR.max(1, keepdims=True)
    surprise_PR = -chance_PKR[:, label_R, np.arange(len(label_R))]
    np.exp(chance_PKR, out=chance_PKR)
    total_PR = chance_PKR.sum(1)
    surprise_PR += np.log(total_PR)
    chance_PKR /= total_PR[:, None]
    return chance_PKR, surprise_PR
