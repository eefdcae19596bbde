"""How much of a network to train, and for how long: the rule behind --method auto.

The rule goes by the pictures a class has, since that is what decides between learning and learning
by heart. Every method begins with a head fitted on the features of the network as it came: training
that begins with a random head first spoils those features (Kumar and others, 2022, "Fine-tuning can
distort pretrained features"). Steps grow with the pictures and less than in proportion, as in BiT's
rule (Kolesnikov and others, 2020); the rates are the lower one of BiT's and the upper end of what
Salman and others (2020) found best. Few pictures are gone through more often, until there are some
steps to learn in. README has the rule as a table.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from hf_resnet.config import Method, TrainConfig
from hf_resnet.errors import listed

TrainedMethod = Literal["head", "last_stage", "full"]


@dataclass(frozen=True)
class Rule:
    """From this many pictures a class on: what is trained, how many epochs, and at which rate."""

    pictures: int
    method: TrainedMethod
    epochs: int
    rate: float
    """Of SGD."""


RULES = (
    Rule(0, "head", 10, 0.003),
    Rule(10, "full", 10, 0.003),
    Rule(50, "full", 6, 0.01),
    Rule(500, "full", 4, 0.01),
    Rule(5000, "full", 3, 0.01),
)
FEWEST_STEPS, MOST_EPOCHS = 60, 30
ADAMW = 0.03  # its rate as a share of SGD's
LAYER_DECAY = 0.7
_OF_ANY_METHOD = (
    "with_tracking",
    "report_to",
    "memory_budget",
    "restart",
    "resume_from_checkpoint",
)
FROM_NOTHING = {"num_train_epochs": 30.0, "layer_decay": 1.0, "learning_rate": 0.05}


@dataclass(frozen=True)
class Choice:
    """What is trained, with every open number of the config filled in."""

    method: TrainedMethod
    config: TrainConfig
    why: str
    untrained: bool
    """The network knows nothing yet: no head is worth beginning with."""

    def stages(self, all_of_them: int) -> int:
        """How many of the highest stages learn."""
        return {"head": 0, "last_stage": 1, "full": all_of_them}[self.method]


def choose(
    method: Method,
    config: TrainConfig,
    count_K: np.ndarray,
    *,
    untrained: bool,
    processes: int = 1,
) -> Choice:
    """For a training split with so many pictures of each class, on so many processes."""
    typical = int(np.median(count_K))
    rule = [each for each in RULES if typical >= each.pictures][-1]
    chosen, why = rule.method, f"{typical:,} pictures a class"
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    batch *= processes
    steps_an_epoch = max(1, int(count_K.sum()) // batch)
    filled = {
        "num_train_epochs": float(
            max(rule.epochs, min(MOST_EPOCHS, -(-FEWEST_STEPS // steps_an_epoch)))
        ),
        "learning_rate": rule.rate,
        "layer_decay": LAYER_DECAY,
    }
    if untrained:
        chosen, why = "full", "the network knows nothing yet"
        filled |= FROM_NOTHING
    if config.optim == "adamw":
        filled["learning_rate"] *= ADAMW
    if method != "auto":
        chosen, why = method, "as asked for"
    left_open: dict[str, Any] = {
        name: value for name, value in filled.items() if getattr(config, name) is None
    }
    return Choice(chosen, replace(config, **left_open), why, untrained)


def without_effect(config: TrainConfig, method: TrainedMethod, device: str) -> Iterator[str]:
    """A line for what was asked for in vain."""
    if method == "head":
        usual = asdict(TrainConfig())
        asked = [name for name, value in asdict(config).items() if value != usual[name]]
        if idle := [f"--{name}" for name in asked if name not in _OF_ANY_METHOD]:
            yield f"{listed(idle)}: meant for a network that learns, and here its head alone does"
        return
    if config.torch_compile and device == "cpu":
        yield "--torch_compile: left out, since it does not pay on a CPU"
    if config.report_to != TrainConfig.report_to and not config.with_tracking:
        yield f"--report_to {config.report_to}: nothing is sent without --with_tracking"
