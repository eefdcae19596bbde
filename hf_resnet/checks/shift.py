"""Whether the splits show the same kind of pictures: can a classifier tell them apart?

A classifier is taught to tell training from test pictures by their features, and asked about those
that it did not learn from. An area under the ROC curve of 0.5 says that it cannot; of 1, that the
test pictures come from somewhere else (another camera, another season), and that figures measured on
them say little about pictures like those of the training.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.seen import Seen
from hf_resnet.checks.survey import Survey

SHIFTED = 0.6
MOST = 2000
"""Pictures of each split that are looked at."""

FEWEST = 30
_DIRECTIONS = 64


def find(survey: Survey) -> list[Finding]:
    """One finding for every split that differs from the training one; the score is the area."""
    found = []
    for split, (area, doubt) in scores(survey).items():
        if area - doubt > SHIFTED:
            reason = f"a classifier tells {split} from train: AUROC {area:.2f} ± {doubt:.2f}"
            found.append(Finding(f"{reason} (0.5: alike)", area, split=split))
    return sorted(found, key=lambda finding: -finding.score)


@lru_cache(maxsize=1)  # the table, the page and the file tell of the same one
def scores(survey: Survey) -> Mapping[str, tuple[float, float]]:
    """`score` of each split but the training one; nothing where no network looked."""
    seen = survey.seen
    if seen is None or survey.splits[:1] != ("train",):
        return {}
    return {split: score(survey, seen, split) for split in survey.splits[1:]}


def score(survey: Survey, seen: Seen, split: str) -> tuple[float, float]:
    """The area under the curve, and how far it may be off (95 %); 0.5 and 0 where too few are there."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    random = np.random.default_rng(0)
    sides = [_some(survey, seen, name, random) for name in ("train", split)]
    if min(map(len, sides)) < FEWEST:
        return 0.5, 0.0
    features_SR = seen.unit_MR[np.concatenate(sides)][:, -_DIRECTIONS:]
    is_other_S = np.repeat([0, 1], [len(side) for side in sides])
    model = LogisticRegression(class_weight="balanced", max_iter=500)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    chance_S = cross_val_predict(model, features_SR, is_other_S, cv=folds, method="predict_proba")[
        :, 1
    ]
    area = float(roc_auc_score(is_other_S, chance_S))
    # as for two samples that do not differ: no interval is narrower than that
    doubt = 1.96 * float(np.sqrt(sum(1 / len(side) for side in sides) / 12))
    return area, doubt


def _some(survey: Survey, seen: Seen, split: str, random: np.random.Generator) -> np.ndarray:
    rows = np.flatnonzero(survey.split_N[seen.number_M] == survey.splits.index(split))
    some: np.ndarray = np.sort(random.permutation(rows)[:MOST])
    return some
