"""Where a run of training happens, and what it has found so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data.picture_cache import PictureCache

Figures = Mapping[str, float]
Judge = Callable[[Classifier], Figures]


@dataclass(frozen=True)
class Setting:
    """What a run is given, beside what it shall do."""

    folder: Path
    """Of the checkpoints and the log."""

    accelerator: Accelerator
    compute: ComputeConfig
    seed: int
    identity: Mapping[str, Any]
    """What has to be the same for a run to be gone on with."""

    judge: Judge | None
    """Says how good a classifier is; None where there are no pictures to judge by."""

    tell: Callable[[str], None]
    begin: Callable[[], None] = lambda: None
    """Called when it is sure that the run begins, or goes on, here."""

    cache: PictureCache | None = None
    elsewhere: "Elsewhere | None" = None


@dataclass(frozen=True)
class Elsewhere:
    """Where checkpoints go beside the run's own folder."""

    every: str
    """So many steps, or epoch."""

    keep: Callable[[Path], None]
    """Called with a checkpoint that was written; returns at once."""


@dataclass
class History:
    """What a run has found so far; kept in every checkpoint."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    """Of each judgement: how many epochs and steps were done, and the figures."""

    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    without_better: int = 0
    """Judgements since the best one."""

    seconds: float = 0.0
    """Spent on learning, not on judging or writing."""

    @classmethod
    def of(cls, record: Any) -> "History":
        """What a checkpoint holds; ValueError where that is no history."""
        if not isinstance(record, dict):
            raise ValueError("it holds no history")
        kinds = {name: type(value) for name, value in record.items()}
        expected = {"epochs": list, "best": dict, "best_step": int, "without_better": int}
        if kinds not in ({**expected, "seconds": float}, {**expected, "seconds": int}):
            raise ValueError("its history is not as hf_resnet writes it")
        for figures in [record["best"], *_figures_in(record["epochs"])]:
            if not all(isinstance(value, int | float) for value in figures.values()):
                raise ValueError("its history holds figures that are none")
        return cls(**record)

    def judged(self, epoch: float, step: int, figures: Figures, metric: str) -> bool:
        """Take note of a judgement; whether it is the best so far."""
        better = not self.best or _worth(figures, metric) > _worth(self.best, metric)
        self.epochs.append({"epoch": epoch, "step": step, "figures": dict(figures)})
        if better:
            self.best, self.best_step = dict(figures), step
        self.without_better = 0 if better else self.without_better + 1
        return better


def _figures_in(epochs: list[Any]) -> list[dict[str, Any]]:
    """The figures of every judgement; ValueError where one is none."""
    names = {"accuracy", "macro_f1", "log_loss"}
    found = []
    for each in epochs:
        if not (isinstance(each, dict) and each.keys() == {"epoch", "step", "figures"}):
            raise ValueError("its history is not as hf_resnet writes it")
        figures = each["figures"]
        if not (isinstance(figures, dict) and names <= figures.keys()):
            raise ValueError("its history lacks figures")
        found.append(figures)
    return found


def _worth(figures: Figures, metric: str) -> tuple[float, float]:
    """Higher is better; where the metric is equal, the network that is less surprised."""
    surprise = figures["log_loss"]
    return (-surprise if metric == "log_loss" else figures[metric], -surprise)
