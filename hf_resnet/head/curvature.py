"""A guess of the objective's curvature, which shows the way down.

The curvature of a softmax objective is, for every class alike, about a share of that of the
features, plus the penalty's own. The share is the mean of chance · (1 - chance): 1/K where all
classes are alike likely, less where the head is sure; the descent learns it on the way. It only
guides, so a part of the rows and the few directions in which they vary most are enough.
"""

from dataclasses import dataclass

import numpy as np

from hf_resnet.head.blocks import StandardRows
from hf_resnet.head.softmax import Problems

_ROWS = 8192
_DIRECTIONS = 128
_SHARES = (1e-6, 0.5)  # between which the share is looked for; it is never above a half
_BISECTIONS = 24


@dataclass(frozen=True)
class Curvature:
    """The directions in which features vary most, by how much, and by how much in each of the others."""

    directions_DJ: np.ndarray
    size_J: np.ndarray
    rest: float


@dataclass(frozen=True)
class SoftmaxGuess:
    """The guess for some problems at one strength; its scale is the share."""

    problems: Problems
    curvature: Curvature
    regularization: float

    def step(self, gradient_PN: np.ndarray, scale_P: np.ndarray) -> np.ndarray:
        weight_PKD, bias_PK = self.problems.split(gradient_PN)
        along_PJ, elsewhere_P = self._inverse(scale_P)
        along, elsewhere = along_PJ[:, None], elsewhere_P[:, None, None]
        basis_DJ = self.curvature.directions_DJ
        step_PN = np.empty_like(gradient_PN)
        by_weight, by_bias = self.problems.split(step_PN)
        by_weight[:] = ((weight_PKD @ basis_DJ) * (along - elsewhere)) @ basis_DJ.T
        by_weight += elsewhere * weight_PKD
        by_bias[:] = bias_PK / scale_P[:, None]
        return step_PN

    def scale(self, moved_PN: np.ndarray, turned_PN: np.ndarray) -> np.ndarray:
        """Such that turned · step(turned) = turned · moved, as L-BFGS scales its identity matrix."""
        weight_PKD, bias_PK = self.problems.split(turned_PN)
        turned_PKJ = weight_PKD @ self.curvature.directions_DJ
        square_PJ = np.einsum("pkj,pkj->pj", turned_PKJ, turned_PKJ)
        rest_P = np.einsum("pkd,pkd->p", weight_PKD, weight_PKD) - square_PJ.sum(1)
        bias_P = np.einsum("pk,pk->p", bias_PK, bias_PK)
        wanted_P = np.einsum("pn,pn->p", moved_PN, turned_PN)
        low_P, high_P = (np.full(len(moved_PN), np.log(bound)) for bound in _SHARES)
        for _ in range(_BISECTIONS):
            middle_P = (low_P + high_P) / 2
            along_PJ, elsewhere_P = self._inverse(np.exp(middle_P))
            got_P = (square_PJ * along_PJ).sum(1) + rest_P * elsewhere_P + bias_P / np.exp(middle_P)
            low_P = np.where(got_P > wanted_P, middle_P, low_P)
            high_P = np.where(got_P > wanted_P, high_P, middle_P)
        scale_P: np.ndarray = np.exp(high_P)
        return scale_P

    def _inverse(self, scale_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 / curvature, along the directions and elsewhere."""
        along_PJ = 1 / (scale_P[:, None] * self.curvature.size_J + self.regularization)
        return along_PJ, 1 / (scale_P * self.curvature.rest + self.regularization)


def curvature_of(rows: StandardRows, weight_N: np.ndarray) -> Curvature:
    """By subspace iteration, which needs three looks at a few thousand rows."""
    step = -(-rows.pictures * rows.views // _ROWS)

    def some(span: slice, rows_RD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = -span.start * rows.views % step
        counts_R = np.repeat(weight_N[span], rows.views)[first::step]
        return rows_RD[first::step], counts_R.astype(np.float32)

    def squares(span: slice, rows_RD: np.ndarray) -> np.ndarray:
        some_RD, counts_R = some(span, rows_RD)
        return np.array([counts_R.sum(), counts_R @ np.einsum("rd,rd->r", some_RD, some_RD)])

    total, trace = sum(rows.map(squares), np.zeros(2))

    def times(basis_DJ: np.ndarray) -> np.ndarray:
        def block(span: slice, rows_RD: np.ndarray) -> np.ndarray:
            some_RD, counts_R = some(span, rows_RD)
            product_DJ: np.ndarray = (some_RD * counts_R[:, None]).T @ (some_RD @ basis_DJ)
            return product_DJ

        return sum(rows.map(block), np.zeros(basis_DJ.shape)) / total

    most = min(_DIRECTIONS, rows.width)
    basis_DJ = np.random.default_rng(0).standard_normal((rows.width, most))
    for _ in range(2):
        basis_DJ = np.linalg.qr(times(basis_DJ.astype(np.float32)))[0]
    moved_DJ = times(basis_DJ.astype(np.float32))
    size_J, turn_JJ = np.linalg.eigh((basis_DJ.T @ moved_DJ + moved_DJ.T @ basis_DJ) / 2)
    size_J = size_J.clip(0)
    rest = max(0.0, trace / total - size_J.sum()) / max(1, rows.width - most)
    return Curvature(basis_DJ @ turn_JJ, size_J, rest)
