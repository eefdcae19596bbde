"""Which pictures each step learns from: a pure function of the seed and the step.

Nothing of it has to be kept or restored: a run that is taken up at step 1,000 asks for step 1,000.
The processes of a run share out the pictures of a step, so that their number changes nothing of what
a step learns. The last step of an epoch is filled up with the epoch's first pictures: every step is
whole, and no batch of one ever meets a batch-norm.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hf_resnet.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Order:
    """The order of `count` pictures, drawn anew each epoch."""

    count: int
    batch: int
    """Pictures a step, those of all processes together."""

    seed: int
    share_N: np.ndarray | None = None
    """How likely each picture is drawn; where given, an epoch draws with replacement."""

    @property
    def steps_an_epoch(self) -> int:
        return -(-self.count // self.batch)

    def epoch_of(self, step: int) -> int:
        return step // self.steps_an_epoch

    def step(self, number: int) -> np.ndarray:
        """The positions of the pictures of a step, counted from 0."""
        epoch, within = divmod(number, self.steps_an_epoch)
        positions_N = self._epoch(epoch)
        at_B = np.arange(within * self.batch, (within + 1) * self.batch) % self.count
        chosen_B: np.ndarray = positions_N[at_B]
        return chosen_B

    def of_process(self, number: int, process: int, processes: int) -> np.ndarray:
        """A process's share of a step."""
        if self.batch % processes:
            raise ConfigError(
                f"a step of {self.batch} pictures cannot be shared out to {processes} processes; "
                "choose --per_device_train_batch_size and the number of processes anew"
            )
        each = self.batch // processes
        return self.step(number)[process * each : (process + 1) * each]

    def _epoch(self, epoch: int) -> np.ndarray:
        return _drawn(self, epoch)


@lru_cache(maxsize=2)
def _drawn(order: Order, epoch: int) -> np.ndarray:
    chance = np.random.Generator(np.random.PCG64([order.seed, epoch]))
    if order.share_N is None:
        return chance.permutation(order.count)
    return chance.choice(order.count, order.count, p=order.share_N / order.share_N.sum())


def balanced(label_N: np.ndarray) -> np.ndarray:
    """The share with which each class is drawn alike often."""
    share_N: np.ndarray = 1.0 / np.bincount(label_N)[label_N]
    return share_N
