"""Being asked to stop (Ctrl-C, SIGTERM from a scheduler) without losing a step.

Within `Stopping` a first signal is only noted; the loop asks between steps, saves and ends. A second
Ctrl-C ends at once, as ever: the last checkpoint is whole.
"""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from accelerate import Accelerator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """`with Stopping(accelerator) as stopping: ... if stopping.asked(): ...`"""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._noted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in _SIGNALS:
                self._before[each] = signal.signal(each, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noted and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._accelerator.is_main_process and not self._noted:
            os.write(2, b"\nfinishing this step and saving; Ctrl-C again ends at once\n")
        self._noted = True

    def asked(self) -> bool:
        """Whether any process of the run was asked to stop; all of them get the same answer."""
        if self._accelerator.num_processes == 1:
            return self._noted
        noted = torch.tensor([float(self._noted)], device=self._accelerator.device)
        return bool(self._accelerator.reduce(noted, "sum").item())
