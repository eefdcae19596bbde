"""Which pictures are left out together when the strength of regularisation is chosen.

Knows only keys and labels. All rows with the same key are one picture, so identical pictures (and
all views of one) stay together and none is learned from while it is tested. What comes out depends
on which pictures there are and not on their order.
"""

import numpy as np

from hf_resnet.head.softmax import LEAVES_NONE

NEVER = -1
"""The fold of a picture that is always learned from, as it is the only one of its class."""

FEWEST = 10
"""With fewer pictures to test on than this, a comparison says nothing."""

assert NEVER != LEAVES_NONE  # noqa: S101


def folds_of(
    key_N: np.ndarray, label_N: np.ndarray, folds: int, seed: int
) -> tuple[np.ndarray, int]:
    """The fold of each row and how many there are; 0 where the pictures are too few to choose by.

    Each class is dealt out evenly, and there are no more folds than the largest class has pictures.
    """
    _, first_G, group_N = np.unique(key_N, return_index=True, return_inverse=True)
    label_G = label_N[first_G]
    count_K = np.bincount(label_G)
    folds = min(folds, int(count_K.max(initial=0)))
    if folds < 2 or count_K[count_K > 1].sum() < FEWEST:
        return np.full(len(key_N), NEVER), 0
    fold_G = np.full(len(label_G), NEVER)
    random = np.random.default_rng(seed)
    dealt = 0
    for label in np.flatnonzero(count_K > 1):
        members = random.permutation(np.flatnonzero(label_G == label))
        fold_G[members] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return fold_G[group_N], folds
