"""What was measured, as rows: each of our sides against each of the usual ones, in every case.

A ratio is the median over the rounds of the ratio within a round, which the machine's drift does not
touch; the lowest and the highest stand beside it.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from hf_resnet.bench.task import Outcome, Subject

Rounds = Mapping[str, Sequence[Outcome]]
"""The outcomes of each side, one a round."""


@dataclass(frozen=True)
class Ratio:
    """Over the rounds."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Compared:
    """One of our sides in one case."""

    case: str
    side: str
    against: str
    times_faster: Ratio | None = None
    times_the_pace: Ratio | None = None
    """Pictures a second; unlike times_faster where the sides do not look equally often."""

    share_of_memory: Ratio | None = None
    accuracy: tuple[float, float] | None = None
    """Ours, and the usual side's."""

    growth: tuple[float, float] | None = None
    """The time, ours and the usual side's, as a multiple of that in the first case."""

    same_answers: float | None = None
    """The share of pictures that both give the same label."""

    problem: str | None = None
    """Why there is nothing to compare."""


@dataclass
class Found:
    """One subject, measured."""

    title: str
    rows: list[Compared] = field(default_factory=list)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """The median of each case and side."""

    rounds: dict[str, dict[str, list[dict[str, object]]]] = field(default_factory=dict)

    def add(self, case: str, subject: Subject, rounds: Rounds, problems: Mapping[str, str]) -> None:
        """What the rounds of a case gave."""
        self.seconds[case] = {
            side: statistics.median(each.seconds for each in found)
            for side, found in rounds.items()
            if found
        }
        ours = [side for side in subject.sides if side not in subject.usual]
        for against in subject.usual:
            for side in ours:
                problem = problems.get(side) or problems.get(against)
                if problem:
                    self.rows.append(Compared(case, side, against, problem=problem))
                else:
                    row = compared(case, (side, against), rounds)
                    grown = self._grown(case, side), self._grown(case, against)
                    self.rows.append(replace(row, growth=grown if subject.grows else None))
        self.rounds[case] = {
            side: [{k: v for k, v in asdict(each).items() if k != "answers"} for each in found]
            for side, found in rounds.items()
        }

    def _grown(self, case: str, side: str) -> float:
        first = next(iter(self.seconds.values()))
        return self.seconds[case][side] / first[side]


def compared(case: str, sides: tuple[str, str], rounds: Rounds) -> Compared:
    """The first of the sides, which is ours, against the second."""
    pairs = list(zip(rounds[sides[0]], rounds[sides[1]], strict=True))

    def ratio(of: Callable[[Outcome, Outcome], float]) -> Ratio:
        found = [of(ours, usual) for ours, usual in pairs]
        return Ratio(statistics.median(found), min(found), max(found))

    ours, usual = pairs[-1]
    both = ours.accuracy is not None and usual.accuracy is not None
    return Compared(
        case,
        *sides,
        times_faster=ratio(lambda ours, usual: usual.seconds / ours.seconds),
        times_the_pace=ratio(lambda ours, usual: ours.pictures_a_second / usual.pictures_a_second)
        if usual.pictures_a_second
        else None,
        share_of_memory=ratio(lambda ours, usual: ours.peak_megabytes / usual.peak_megabytes)
        if usual.peak_megabytes
        else None,
        accuracy=_medians(pairs) if both else None,
        same_answers=_same(ours.answers, usual.answers),
    )


def _medians(pairs: Sequence[tuple[Outcome, Outcome]]) -> tuple[float, float]:
    ours, usual = zip(*pairs, strict=True)
    return (
        statistics.median(each.accuracy for each in ours),
        statistics.median(each.accuracy for each in usual),
    )


def _same(ours: Sequence[str], usual: Sequence[str]) -> float | None:
    if not ours or not usual:
        return None
    return statistics.fmean(mine == other for mine, other in zip(ours, usual, strict=True))
