"""An export held against its source on the same pictures: answers, accuracy, logits and time.

The two take turns, batch by batch, so that what else the machine does slows both. The surprise: the
interval is that of the difference, out of the pictures that only one of the two has right; those of
the two accuracies overlap long before the difference is in doubt.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_resnet.errors import ModelError
from hf_resnet.export.writers import Logits
from hf_resnet.metrics.arrays import Array, IntArray
from hf_resnet.metrics.paired import difference_interval

MOST_ERROR = 1e-3
"""How far the logits of an fp32 export may be from the source's, as a share of their length."""


@dataclass(eq=False)
class Proof:
    """What both said of N pictures. truth_N has the model's numbers, or is None where none are known."""

    source_NK: Array
    export_NK: Array
    seconds_source: float
    seconds_export: float
    truth_N: IntArray | None = field(default=None)

    @property
    def pictures(self) -> int:
        return len(self.source_NK)

    @property
    def error(self) -> float:
        """The length of the difference of the logits, as a share of the source's."""
        length = float(np.linalg.norm(self.source_NK))
        away = float(np.linalg.norm(self.export_NK - self.source_NK))
        return away / length if length else away

    @property
    def agreement(self) -> float:
        """The share of pictures that both answer alike."""
        return float((self.source_NK.argmax(axis=1) == self.export_NK.argmax(axis=1)).mean())

    @property
    def speed(self) -> float:
        """How many times faster the export was."""
        return self.seconds_source / self.seconds_export

    def right(self) -> tuple[int, int, int]:
        """Pictures that the source has right, that it alone has, and that the export alone has."""
        assert self.truth_N is not None  # noqa: S101  asked only where classes are known
        source_N = self.source_NK.argmax(axis=1) == self.truth_N
        export_N = self.export_NK.argmax(axis=1) == self.truth_N
        return (
            int(source_N.sum()),
            int((source_N & ~export_N).sum()),
            int((export_N & ~source_N).sum()),
        )

    @property
    def drop(self) -> float:
        """Points of accuracy that the export loses; below 0 where it gains."""
        _, lost, won = self.right()
        return 100 * (lost - won) / self.pictures

    def figures(self) -> dict[str, Any]:
        """What the record keeps."""
        known: dict[str, Any] = {
            "pictures": self.pictures,
            "agreement": self.agreement,
            "logits_error": self.error,
            "times_the_speed_of_torch_fp32": round(self.speed, 2),
        }
        if self.truth_N is None:
            return known
        right, lost, won = self.right()
        around = difference_interval(lost, won, self.pictures)
        return known | {
            "accuracy_of_source": right / self.pictures,
            "accuracy": (right - lost + won) / self.pictures,
            "difference": (won - lost) / self.pictures,
            "difference_low": around.low,
            "difference_high": around.high,
        }


def prove(
    source: Logits, export: Logits, batches: Iterable[np.ndarray], truth: list[int] | None = None
) -> Proof:
    """Both asked about every batch. `truth`, one class a picture, may be filled as batches come."""
    source_BK: list[np.ndarray] = []
    export_BK: list[np.ndarray] = []
    seconds = [0.0, 0.0]
    for pixels_BCHW in batches:
        if not source_BK:  # what is made on first use is not timed
            source(pixels_BCHW)
            export(pixels_BCHW)
        for which, (ask, found) in enumerate(((source, source_BK), (export, export_BK))):
            started = time.perf_counter()
            found.append(ask(pixels_BCHW))
            seconds[which] += time.perf_counter() - started
    if not source_BK:
        raise ModelError("an export is measured on pictures, and none of them can be used")
    return Proof(
        np.concatenate(source_BK),
        np.concatenate(export_BK),
        seconds[0],
        seconds[1],
        None if truth is None else np.array(truth, np.int64),
    )


def check(proof: Proof, name: str, *, int8: bool, max_drop: float, force: bool) -> None:
    """ModelError where the export is not good enough to be written."""
    if not np.isfinite(proof.export_NK).all():
        raise ModelError(f"{name} gives numbers that are not finite; nothing was written")
    if not int8 and proof.error > MOST_ERROR:
        raise ModelError(
            f"{name} does not answer as the model does: its logits are off by {proof.error:.2g} of "
            f"their length, and {MOST_ERROR:g} is allowed; nothing was written"
        )
    if proof.truth_N is None or proof.drop <= max_drop or force:
        return
    around = proof.figures()
    raise ModelError(
        f"{name} loses {proof.drop:.2f} points of accuracy on {proof.pictures:,} pictures (95 %: "
        f"{-100 * around['difference_high']:.2f} to {-100 * around['difference_low']:.2f}), and "
        f"--max_drop allows {max_drop:g}; nothing was written: allow more, calibrate on more "
        "pictures with --calibration_pictures, or add --force"
    )
