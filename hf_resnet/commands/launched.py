"""What `accelerate launch` tells a process: which of how many it is, and its share of the cores.

Read from the environment, without accelerate, which would bring torch along.
"""

import os
from dataclasses import dataclass

from hf_resnet.errors import ConfigError


@dataclass(frozen=True)
class Share:
    """This process among those that do the work together."""

    rank: int = 0
    processes: int = 1

    def __str__(self) -> str:
        return f"process {self.rank + 1} of {self.processes}"


def share() -> Share:
    """Which process this is."""
    rank, processes = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if not rank < processes:
        raise ConfigError(
            f"RANK={rank} and WORLD_SIZE={processes} cannot be: ranks count from 0; start the "
            "processes by accelerate launch, or unset both"
        )
    return Share(rank, processes)


def take_share_of_cores() -> None:
    """Let each process compute on its part of the cores; to be called before torch is imported.

    On a machine without a GPU `accelerate launch` gives each a single thread, however many cores
    there are. OMP_NUM_THREADS is what torch, ONNX Runtime and OpenVINO go by here.
    """
    if "ACCELERATE_MIXED_PRECISION" in os.environ:  # started by accelerate launch
        threads = max(1, cores() // max(1, _number("LOCAL_WORLD_SIZE", 1)))
        os.environ["OMP_NUM_THREADS"] = str(threads)


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _number(name: str, otherwise: int) -> int:
    said = os.environ.get(name) or str(otherwise)
    if not (said.isascii() and said.isdecimal()):
        raise ConfigError(f"{name}={said} is no number; start the processes by accelerate launch")
    return int(said)
