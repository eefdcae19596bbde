"""Calls that come at the same time go through the network together.

There is no thread of its own and nothing to shut down: of the callers that wait, whoever gets its
turn first takes along what the others brought. Knows nothing of pictures or classes.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

Compute = Callable[[np.ndarray], np.ndarray]


class Batcher:
    """One computation for all that wait, at most `most` at once."""

    def __init__(self, compute: Compute, most: int = 16) -> None:
        self.turn = threading.Lock()
        """Held while the network is used; who uses it in another way takes it too."""
        self._compute = compute
        self._most = most
        self._waiting: deque[tuple[np.ndarray, Future[np.ndarray]]] = deque()

    def __call__(self, pixels_CHW: np.ndarray) -> np.ndarray:
        """The row of one picture."""
        mine: Future[np.ndarray] = Future()
        self._waiting.append((pixels_CHW, mine))
        while not mine.done():
            with self.turn:
                if not mine.done():
                    self._serve()
        return mine.result()

    def _serve(self) -> None:
        count = min(len(self._waiting), self._most)
        taken = [self._waiting.popleft() for _ in range(count)]
        try:
            rows_BK = self._compute(np.stack([pixels for pixels, _ in taken]))
        except BaseException as exc:  # noqa: BLE001  it is handed to everybody who waits
            for _, future in taken:
                future.set_exception(exc)
            return
        for (_, future), row_K in zip(taken, rows_BK, strict=True):
            future.set_result(row_K)
