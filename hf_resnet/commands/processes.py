"""The Accelerator of a run, made once, with two things that `accelerate launch` leaves to be done.

On a machine without a GPU it gives each process a single thread, however many cores there are, and
processes find each other only when they are told that they are on CPU.
"""

import os

import torch
from accelerate import Accelerator


def start() -> Accelerator:
    """The accelerator of this process; on CPU the processes share the machine's cores."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    if on_cpu and "ACCELERATE_MIXED_PRECISION" in os.environ:  # started by accelerate launch
        torch.set_num_threads(max(1, cores() // processes))
    return Accelerator(cpu=on_cpu)


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
