"""Pictures that are like no other here: a screenshot among flowers, a lens cap, another trade.

Measured by the mean distance to the nearest pictures, against what is usual here.
"""

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey

FAR = 4.0
"""So many usual spreads beyond the usual distance; of 1,000 bell-shaped ones, none is."""

FEWEST = 20


def find(survey: Survey) -> list[Finding]:
    """The score is how many usual spreads beyond the usual distance the picture is."""
    seen = survey.seen
    if seen is None or len(seen.number_M) < FEWEST:
        return []
    _, apart_MC = seen.nearest
    apart_M = apart_MC.mean(1, where=np.isfinite(apart_MC))
    middle = float(np.median(apart_M))
    spread = 1.4826 * float(np.median(np.abs(apart_M - middle)))
    far_M = (apart_M - middle) / max(spread, 1e-6)
    order = np.argsort(-far_M, kind="stable")
    return [
        Finding(
            f"like no other picture here ({far_M[row]:.1f} spreads beyond the usual distance)",
            float(far_M[row]),
            picture=int(seen.number_M[row]),
        )
        for row in order[: int((far_M > FAR).sum())].tolist()
    ]
