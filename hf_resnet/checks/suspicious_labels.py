"""Labels that are probably wrong, by confident learning (Northcutt, Jiang and Chuang, 2021).

Every picture is shown to a head that learned from the others, not from it. From how sure such heads
are of each class, and how often they contradict the label, cleanlab estimates how many labels are
wrong; the pictures of which the heads believe their label least are the suspects. A suspect is no
proof: a rare view of a cat is a suspect too.
"""

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.seen import unseen_chances
from hf_resnet.checks.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """The suspects, the most suspicious first; the score is 1 - the chance of the label."""
    seen = survey.seen
    if seen is None:
        return []
    rows, chance_JK = unseen_chances(survey, seen)
    label_J = survey.label_N[seen.number_M[rows]]
    suspects = _suspects(label_J, chance_JK)
    return [
        Finding(
            f"looks like {survey.labels.names[int(chance_JK[at].argmax())]} "
            f"({chance_JK[at].max():.0%} sure)",
            float(1 - chance_JK[at, label_J[at]]),
            picture=int(seen.number_M[rows[at]]),
        )
        for at in suspects
        if chance_JK[at].argmax() != label_J[at]
    ]


def _suspects(label_J: np.ndarray, chance_JK: np.ndarray) -> list[int]:
    from cleanlab.filter import find_label_issues  # seconds to import

    there, label_J = np.unique(label_J, return_inverse=True)
    if len(there) < 2:
        return []
    chance_JK = chance_JK[:, there]
    chance_JK = chance_JK / chance_JK.sum(1, keepdims=True)
    found = find_label_issues(
        label_J,
        chance_JK,
        filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    suspects: list[int] = found.tolist()
    return suspects
