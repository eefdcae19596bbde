"""The Accelerator of a run, made once, with what `accelerate launch` leaves to be done.

On a machine without a GPU it gives each process a single thread, however many cores there are, and
processes find each other only when they are told that they are on CPU. Where one of them ends, the
others get an error out of the depths of gloo or NCCL; and one that ends without taking leave may be
aborted in the middle of it, and count as failed.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers

from hf_resnet.commands.launched import cores
from hf_resnet.errors import ConfigError, HfResnetError, listed


def start(*, trackers: str | None = None, folder: Path | None = None) -> Accelerator:
    """The accelerator of this process; on CPU the processes share the machine's cores.

    trackers names where figures are sent, "all" for all that are installed; folder is where those
    that write files put them.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    if on_cpu and "ACCELERATE_MIXED_PRECISION" in os.environ:  # started by accelerate launch
        torch.set_num_threads(max(1, cores() // processes))
    accelerator = Accelerator(cpu=on_cpu, log_with=_installed(trackers), project_dir=folder)
    if accelerator.distributed_type.value in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        raise ConfigError(
            f"accelerate was told to use {accelerator.distributed_type.value}, which divides networks "
            "too large for one device; those here are not, so use scripts/accelerate/ddp.yaml"
        )
    atexit.register(accelerator.state.destroy_process_group)
    return accelerator


@contextmanager
def together() -> Iterator[None]:
    """Within it, the end of another process is one line in this one as well."""
    try:
        yield
    except RuntimeError as exc:
        if not isinstance(exc, torch.distributed.DistError) and "gloo" not in str(exc):
            raise
        raise HfResnetError(
            "another process of this run has ended, and this one cannot go on alone; if it said no "
            "reason, it was killed, perhaps for lack of memory. The same command again goes on"
        ) from exc


def _installed(trackers: str | None) -> list[str] | None:
    if trackers is None:
        return None
    there = [each.value for each in get_available_trackers()]
    wanted = there if trackers == "all" else trackers.split(",")
    missing = sorted(set(wanted) - set(there))
    if missing or not wanted:
        raise ConfigError(
            f"--report_to {trackers}: {listed(missing) or 'no tracker'} is not installed; leave out "
            "--with_tracking, or install it (pip install tensorboard); there is "
            f"{listed(there) or 'none'}"
        )
    return wanted
