"""Finding what is near without comparing everything with everything.

Hashes: two that differ in at most 7 of 64 bits agree in at least one of 8 bytes, so only those that
share a byte are compared, and none is missed (multi-index hashing: Norouzi, Punjani and Fleet, 2012)
where a picture has no more than MOST_NEAR such neighbours.
Features: a graph of neighbours (HNSW, from the usearch library), which misses hardly any.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hf_resnet.checks.looks import RADIUS
from hf_resnet.progress import Pace

MOST_NEAR = 32
"""Near hashes that are looked at for each; a camera that never moves makes thousands."""

_AT_ONCE = 1 << 22
_BLOCK = 4096
_SOON_DONE = 10_000


def near_hashes(hash_U: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of positions whose hashes are near, each pair once or more; the hashes all differ."""
    for byte_U in hash_U[:, None].view(np.uint8).T:
        order = np.argsort(byte_U, kind="stable")
        ends = np.flatnonzero(np.diff(byte_U[order])) + 1
        for members in np.split(order, ends):
            yield from _pairs(hash_U, members)


def _pairs(hash_U: np.ndarray, members: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    count = len(members)
    step = max(1, _AT_ONCE // max(1, count))
    for start in range(0, count, step):
        rows = members[start : start + step]
        differs = np.bitwise_count(hash_U[rows, None] ^ hash_U[members])
        later = np.arange(count) > np.arange(start, start + len(rows))[:, None]
        near = later & (differs <= RADIUS)
        if near.sum(1).max() > MOST_NEAR:
            near &= _nearest(np.where(near, differs, 255))
        at, other = np.nonzero(near)
        if len(at):
            yield rows[at], members[other]


def _nearest(differs: np.ndarray) -> np.ndarray:
    """Which are the MOST_NEAR smallest of each row."""
    chosen = np.zeros(differs.shape, bool)
    places = np.argpartition(differs, MOST_NEAR, axis=1)[:, :MOST_NEAR]
    np.put_along_axis(chosen, places, True, axis=1)
    return chosen


def neighbours(unit_MR: np.ndarray, count: int, *, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest `count` others of each row of length 1: their positions and 1 - cosine, the nearest
    first; where there are fewer, position -1 and infinity."""
    from usearch.index import Index

    pictures, width = unit_MR.shape
    position_MC = np.full((pictures, count), -1)
    apart_MC = np.full((pictures, count), np.inf, np.float32)
    wanted = min(count + 1, pictures)
    if wanted < 2:
        return position_MC, apart_MC
    index = Index(ndim=width, metric="cos", dtype="f32")
    # parts of a like size: the index answers a single row in another form
    parts = np.array_split(np.arange(pictures), -(-pictures // _BLOCK))
    shown = pictures > _SOON_DONE
    with Pace("Indexing features", pictures, shown=shown) as pace:
        for some in parts:
            # by one thread: two that go in at the same moment never learn of each other, and copies
            # are just what is looked for
            index.add(some, unit_MR[some], threads=1)
            pace.advance(len(some))
    with Pace("Finding the nearest", pictures, shown=shown) as pace:
        for some in parts:
            # one more than wanted: the nearest of all is mostly the picture itself
            found: Any = index.search(unit_MR[some], wanted, threads=workers)
            for at, row in enumerate(some.tolist()):
                here = int(found.counts[at])
                others = found.keys[at, :here] != row
                nearest = found.keys[at, :here][others][:count]
                position_MC[row, : len(nearest)] = nearest
                apart_C = found.distances[at, :here][others][:count]
                apart_MC[row, : len(nearest)] = apart_C.clip(0)
            pace.advance(len(some))
    return position_MC, apart_MC
