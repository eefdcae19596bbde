"""Pictures far smaller than the others, strips, and pictures of a single colour."""

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey

TINY = 1 / 4
"""Of the usual short side."""

LEAST_SIDE = 64
"""Nothing larger than this is tiny, however large the others are."""

STRIP = 3.0
"""Long side over short side, where that is also twice as much as usual."""

_EVEN = 1.0


def find(survey: Survey) -> list[Finding]:
    """The score is how many times smaller, or narrower, than usual a picture is."""
    good_M = survey.good_M
    if not len(good_M):
        return []
    side_M2 = survey.size_N2[good_M]
    short_M, ratio_M = side_M2.min(1), side_M2.max(1) / side_M2.min(1)
    usual, usual_ratio = float(np.median(short_M)), float(np.median(ratio_M))
    spread_M = survey.view_NV[good_M].reshape(len(good_M), -1, 3).std(1).max(1)
    found = []
    for number, (width, height), short, ratio, spread in zip(
        good_M.tolist(), side_M2.tolist(), short_M, ratio_M, spread_M, strict=True
    ):
        size = f"{width} x {height} pixels"
        if short < min(TINY * usual, LEAST_SIDE):
            reason, score = f"{size}; the short side is usually {usual:.0f}", usual / short
        elif ratio > max(STRIP, 2 * usual_ratio):
            reason, score = f"{size}: a strip, of which most is cut away or squeezed", ratio
        elif spread < _EVEN:
            reason, score = "a single colour all over", 1.0
        else:
            continue
        found.append(Finding(reason, float(score), picture=number))
    return sorted(found, key=lambda finding: -finding.score)
