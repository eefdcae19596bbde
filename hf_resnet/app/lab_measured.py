"""What `hf-resnet degrade` measured: of a folder it wrote, or the figures of the README.

The README tells training errors alone, so the shipped figures have no plots; a folder has them too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_resnet.errors import ConfigError
from hf_resnet.jsonfile import read_object

RECORD = "degrade.json"
PLOTS = ("errors", "gradients", "shift")


@dataclass(frozen=True)
class Measured:
    """Training errors by depth for each kind of net, and where they come from."""

    source: str
    pictures: int
    side: int
    epochs: int
    errors: Mapping[str, Mapping[int, float]]
    """By kind (plain, residual v1, residual v2), then by layers."""

    plots: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by what they show."""


SHIPPED = Measured(
    source="CIFAR-10",
    pictures=3000,
    side=16,
    epochs=20,
    errors={
        "plain": {8: 0.415, 14: 0.472, 20: 0.529, 32: 0.622},
        "residual v1": {8: 0.378, 14: 0.387, 20: 0.358, 32: 0.337},
        "residual v2": {8: 0.382, 14: 0.346, 20: 0.338, 32: 0.303},
    },
)


def measured(folder: str | None) -> Measured:
    """What a folder holds; the shipped figures where none is named."""
    if folder is None:
        return SHIPPED
    place = Path(folder).expanduser()
    if not (place / RECORD).is_file():
        raise ConfigError(
            f"--degrade_dir {folder} has no {RECORD}; name a folder that hf-resnet degrade wrote"
        )
    told = read_object(place / RECORD)
    try:
        return Measured(
            source=str(told["source"]),
            pictures=int(told["train_pictures"]),
            side=int(told["image_size"]),
            epochs=int(told["recipe"]["epochs"]),
            errors=_errors(told["nets"]),
            plots={
                name: (place / f"{name}.png").read_bytes()
                for name in PLOTS
                if (place / f"{name}.png").is_file()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(
            f"{place / RECORD} is not as hf-resnet degrade writes it ({type(exc).__name__}: {exc}); "
            "run hf-resnet degrade again"
        ) from exc


def _errors(nets: Any) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for net in nets:
        error = float(net["train_error"])
        if not 0 <= error <= 1:
            raise ValueError(f"a training error of {error:g}")
        if net["kind"] not in ("plain", "residual v1", "residual v2"):
            raise ValueError(f"a net of the kind {str(net['kind'])[:60]!r}")
        found.setdefault(net["kind"], {})[int(net["depth"])] = error
    if not found:
        raise ValueError("no nets")
    return {kind: dict(sorted(errors.items())) for kind, errors in found.items()}
