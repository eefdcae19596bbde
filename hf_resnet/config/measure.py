"""How good a model is: what measure looks at, and what it fits on validation pictures."""

from dataclasses import dataclass, field
from typing import Literal

from tyro.conf import OmitArgPrefixes

from hf_resnet.config.export import Backend
from hf_resnet.config.groups import ComputeConfig, DataConfig, ModelConfig
from hf_resnet.config.limits import at_least
from hf_resnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """Measure a classifier on labelled pictures, with intervals.

    What is fitted (calibrate, abstain_precision, conformal) is fitted on the validation pictures and
    kept in the model folder.
    """

    model: OmitArgPrefixes[ModelConfig]
    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    split: Literal["train", "validation", "test"] | None = None
    """The split to measure on (default: test where there is one, else validation, else all there is)."""

    calibrate: bool = False
    """Divide the weights of the last layer by a temperature, so that of the answers given with 80 %
    about 80 % are right, whatever opens the model. The answers stay the same."""

    abstain_precision: float | None = None
    """Find the probability below which the model had better not answer, so that this share of what is
    answered is right, such as 0.95."""

    conformal: float | None = None
    """Find the probability from which on a class is named, so that the right one is among those named
    for this share of the pictures, such as 0.9."""

    compare: str | None = None
    """Another model (a folder or a Hub id), measured on the same pictures."""

    by: str | None = None
    """A column of the data (site, camera): the accuracy for each of its values."""

    outside: str | None = None
    """Pictures of none of the classes (a folder, a table, a Hub data set or a sample:NAME): how well the
    model's doubt tells them from those of its classes."""

    robustness: bool = False
    """Measure also on pictures that are tinted, blurred, turned, covered and so on, in three strengths
    each."""

    robustness_samples: int = 300
    """Pictures that robustness is measured on, drawn evenly from the classes."""

    backend: Backend = "torch"
    """What computes: torch, or an export of the model (see hf-resnet export)."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    output_dir: str | None = None
    """Where to write the report, index.html (default: the report folder of the model folder where it
    is measured on its own held-out pictures, else nowhere)."""

    def __post_init__(self) -> None:
        at_least(self, "robustness_samples", 1)
        for name in ("abstain_precision", "conformal"):
            value = getattr(self, name)
            if value is not None and not 0.5 <= value < 1:
                raise ConfigError(
                    f"--{name} is a share of the pictures, at least 0.5 and below 1, got {value:g}"
                )

        if self.fits and self.backend != "torch":
            raise ConfigError(
                "what is fitted is fitted to the model itself; leave out --backend, and export again "
                "afterwards"
            )

    @property
    def fits(self) -> bool:
        """Whether anything is fitted on validation pictures."""
        return self.calibrate or self.abstain_precision is not None or self.conformal is not None
