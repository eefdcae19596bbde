"""Which files show the same picture: groups of equal bytes, or of looks that agree.

Three checks are made out of these groups (duplicates, leaks, contradictions). Knows nothing of which
member is at fault. The surprise: files are joined in chains, so a group is read with `best_of`, which
compares two of its pictures themselves.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from hf_resnet.checks.index import near_hashes
from hf_resnet.checks.looks import apart, limit_of
from hf_resnet.checks.survey import Survey

_MOST_COMPARED = 64
_ROUNDS = 64


@functools.lru_cache(maxsize=1)  # three checks ask for them
def groups(survey: Survey) -> list[list[int]]:
    """The numbers of the pictures of each group of two or more, in order."""
    good_M = survey.good_M
    if not len(good_M):
        return []
    home = np.arange(len(survey))
    # equal bytes first: their first picture stands for all of them
    _, first_K, back_M = np.unique(survey.key_N[good_M], return_index=True, return_inverse=True)
    home[good_M] = good_M[first_K][back_M]
    joined = _Joined(home)
    heads = _heads(survey, good_M[np.sort(first_K)], joined)
    for one_P, other_P in near_hashes(survey.hash_N[heads]):
        _join(survey, heads[one_P], heads[other_P], joined)
    members = defaultdict(list)
    for number in good_M.tolist():
        members[joined.find(number)].append(number)
    return [group for group in members.values() if len(group) > 1]


def facing(
    group: Sequence[int], place_of: np.ndarray, faces: Callable[[int, int], bool]
) -> Iterator[tuple[int, list[int]]]:
    """Each picture of a group whose place faces places of others, with a few of those others."""
    members = defaultdict(list)
    for number in group:
        members[int(place_of[number])].append(number)
    others_of = {
        mine: [
            at for place in members if faces(mine, place) for at in members[place][:_MOST_COMPARED]
        ]
        for mine in members
    }
    for number in group:
        if others := others_of[int(place_of[number])]:
            yield number, others


def best_of(survey: Survey, picture: int, others: Sequence[int]) -> tuple[int, float] | None:
    """Of the others the one that looks most like the picture, and how much (1: the same bytes); None
    where none looks the same."""
    compared = np.array(others[:_MOST_COMPARED])
    same_M = survey.key_N[compared] == survey.key_N[picture]
    if same_M.any():
        return int(compared[same_M.argmax()]), 1.0
    apart_M = apart(survey.view_NV[compared], survey.view_NV[picture][None])
    near = int(apart_M.argmin())
    if apart_M[near] > _limit(survey, compared[near : near + 1], np.array([picture]))[0]:
        return None
    return int(compared[near]), round(float(min(0.9999, 1 - apart_M[near])), 4)


def how(likeness: float) -> str:
    """What the likeness of `best_of` means, in words."""
    return "the same file" if likeness == 1 else "the same picture, saved anew or resized,"


class _Joined:
    """Which pictures belong together; each points to another of its group, the first to itself."""

    def __init__(self, home_N: np.ndarray) -> None:
        self._home = home_N.tolist()

    def find(self, number: int) -> int:
        while self._home[number] != number:
            self._home[number] = self._home[self._home[number]]
            number = self._home[number]
        return number

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self._home[high] = low


def _heads(survey: Survey, pictures_U: np.ndarray, joined: _Joined) -> np.ndarray:
    """One picture for every hash that there is; others of the same hash are joined to those of them
    that they look like."""
    order = np.argsort(survey.hash_N[pictures_U], kind="stable")
    hash_U = survey.hash_N[pictures_U[order]]
    ends = np.flatnonzero(np.diff(hash_U)) + 1
    heads = []
    for members in np.split(pictures_U[order], ends):
        heads.append(members[0])
        left = members
        # an even sky has few looks but many pictures: each round takes away all that look like the
        # first of those that are left
        for _ in range(_ROUNDS):
            if len(left) < 2:
                break
            alike = _same(survey, left[1:], np.broadcast_to(left[:1], len(left) - 1))
            for other in left[1:][alike].tolist():
                joined.join(int(left[0]), other)
            left = left[1:][~alike]
    return np.array(heads)


def _join(survey: Survey, one_P: np.ndarray, other_P: np.ndarray, joined: _Joined) -> None:
    alike = _same(survey, one_P, other_P)
    for one, other in zip(one_P[alike].tolist(), other_P[alike].tolist(), strict=True):
        joined.join(one, other)


def _same(survey: Survey, one_P: np.ndarray, other_P: np.ndarray) -> np.ndarray:
    """Whether the views of each pair are of one picture; worked through in parts."""
    parts: Iterable[slice] = (slice(at, at + 8192) for at in range(0, len(one_P), 8192))
    found = [
        apart(survey.view_NV[one_P[part]], survey.view_NV[other_P[part]])
        <= _limit(survey, one_P[part], other_P[part])
        for part in parts
    ]
    return np.concatenate([np.zeros(0, bool), *found])


def _limit(survey: Survey, one_P: np.ndarray, other_P: np.ndarray) -> np.ndarray:
    limit_P: np.ndarray = np.minimum(
        limit_of(survey.size_N2[one_P]), limit_of(survey.size_N2[other_P])
    )
    return limit_P
