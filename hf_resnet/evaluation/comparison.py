"""Two models on the same pictures, and one model on groups of them."""

from collections.abc import Collection

import numpy as np

from hf_resnet.data.metadata import grouped
from hf_resnet.errors import DataError
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.measured import Measured
from hf_resnet.evaluation.studies import Comparison, Group, Groups
from hf_resnet.metrics import difference_interval, mcnemar
from hf_resnet.metrics.arrays import IntArray


def compared(
    ours: Measured, theirs: Measured, other: str, learned: Collection[str] = ()
) -> Comparison:
    """The difference of the accuracies, and whether chance explains it; both on the same split.

    Of the pictures that both could use: a network may find one too small that is enough for another.
    What either has learned from, by key, says nothing of which is better, and is left out.
    """
    known = {(each.key, each.truth): each.right for each in theirs.outcomes}
    both = [each for each in ours.outcomes if (each.key, each.truth) in known]
    pairs = [(each.right, known[each.key, each.truth]) for each in both if each.key not in learned]
    if not pairs:
        raise DataError(
            f"there is no picture that both this model and {other} can use and neither has learned "
            "from; --test_dir names others"
        )
    mine_N, other_N = np.array(pairs).T
    won, lost = int((mine_N & ~other_N).sum()), int((other_N & ~mine_N).sum())
    interval = difference_interval(lost, won, len(mine_N))
    return Comparison(
        other=other,
        ours=float(mine_N.mean()),
        theirs=float(other_N.mean()),
        low=interval.low,
        high=interval.high,
        won=won,
        lost=lost,
        chance=mcnemar(lost, won),
        n=len(mine_N),
        left_out=len({each.key for each in (*ours.outcomes, *theirs.outcomes)})
        - len({each.key for each in both}),
        learned=len(both) - len(pairs),
    )


def by_column(measured: Measured, number_N: IntArray, values: list[str], column: str) -> Groups:
    """The accuracy for each value; number_N says which row of the split each outcome is."""
    right_N = np.array([outcome.right for outcome in measured.outcomes])
    found = grouped([values[number] for number in number_N.tolist()])
    return Groups(
        column,
        tuple(
            Group(value, Figure.of_share("Accuracy", int(right_N[at_M].sum()), len(at_M)))
            for value, at_M in found.items()
        ),
    )
