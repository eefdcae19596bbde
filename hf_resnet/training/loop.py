"""The loop of epochs: learn, judge, keep the best, write a checkpoint; and go on from one, to the bit.

It knows nothing of how a network is judged, nor of what a person asked for beyond its config: both
are handed in.
"""

import contextlib
import itertools
import json
import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from torch import Tensor

from hf_resnet.classifier import Classifier
from hf_resnet.errors import ConfigError, ModelError, listed
from hf_resnet.progress import Pace
from hf_resnet.training import checkpoint, log
from hf_resnet.training.average import Average
from hf_resnet.training.checkpoint import Checkpoint
from hf_resnet.training.choice import Choice
from hf_resnet.training.examples import At, Examples, Examples_B, loaded
from hf_resnet.training.optimiser import rate, ready_to_learn, set_rate
from hf_resnet.training.order import Order
from hf_resnet.training.recompute import recomputing
from hf_resnet.training.setting import History, Setting
from hf_resnet.training.step import FIRST_LOSS_SCALE, Stepper
from hf_resnet.training.stopping import Stopping
from hf_resnet.training.streamed import Passing, streamed

_WORST_LOSS = 20.0
ANY = ("true", "latest", "hub")
"""Words of --resume_from_checkpoint that name no folder: the newest there is."""


@dataclass
class Loop:
    """A network that learns, and how far it has come."""

    classifier: Classifier
    """With the very network that learns."""

    choice: Choice
    setting: Setting
    examples: Examples
    order: Order
    steps: int
    trained: int
    """How many of the highest stages learn."""

    frozen_norms: bool
    stepper: Stepper
    average: Average | None = None
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None
    """The weights of the best epoch so far; None while that is the beginning."""

    def run(self, done: int) -> bool:
        """Learn from step `done` on; False where a person asked to stop before the end."""
        setting = self.setting
        if not done and not self.choice.untrained:  # else there is nothing to judge yet
            self._judge(0)
        if self._enough():
            return True
        self._ready()
        main = setting.accelerator.is_main_process
        left = (self.steps - done) * self.order.batch
        sparing = self.choice.config.gradient_checkpointing
        with (
            recomputing(self.classifier.network) if sparing else contextlib.nullcontext(),
            Stopping(setting.accelerator) as stopping,
            Pace("Training", left, shown=main) as pace,
            log.Log(setting.folder / log.LOG_FILE, after=done, shown=main) as lines,
            contextlib.closing(self._coming(done)) as coming,
        ):
            began = time.monotonic()
            for number in range(done, self.steps):
                line = self._step(number, next(coming))
                lines.write(line)
                setting.accelerator.log(line, step=number + 1)
                pace.advance(self.order.batch)
                finished = number + 1
                epoch_ends = finished % self.order.steps_an_epoch == 0 or finished == self.steps
                if epoch_ends:
                    self.history.seconds += time.monotonic() - began
                    self._judge(finished)
                asked, enough = stopping.asked(), epoch_ends and self._enough()
                elsewhere = self._is_due(finished, epoch_ends, self._every_elsewhere())
                every = self.choice.config.checkpointing_steps
                if asked or enough or elsewhere or self._is_due(finished, epoch_ends, every):
                    self._save(finished, elsewhere=elsewhere or asked)
                if enough or (asked and finished < self.steps):
                    return enough
                if epoch_ends:
                    began = time.monotonic()
        return True

    def _coming(self, done: int) -> Generator[list[Examples_B], None, None]:
        """The batches of every step from `done` on, this process's share of them."""
        accelerator = self.setting.accelerator
        accumulated = self.choice.config.gradient_accumulation_steps
        workers = self.setting.compute.dataloader_num_workers
        if self.examples.split.size is None:
            ready = streamed(
                Passing(
                    self.examples,
                    self.order,
                    accelerator.process_index,
                    accelerator.num_processes,
                    done,
                ),
                batch=self.order.batch // accelerator.num_processes // accumulated,
                workers=workers,
            )
        else:
            ready = loaded(self.examples, self._places(done), workers=workers)
        while step := list(itertools.islice(ready, accumulated)):
            yield step

    def _places(self, done: int) -> Iterator[list[At]]:
        """Of every batch of this process, as it comes up: which pictures, in which epoch."""
        accelerator = self.setting.accelerator
        accumulated = self.choice.config.gradient_accumulation_steps
        for number in range(done, self.steps):
            share_B = self.order.of_process(
                number, accelerator.process_index, accelerator.num_processes
            )
            places = [(int(position), self.order.epoch_of(number)) for position in share_B]
            size = len(places) // accumulated
            yield from (places[at : at + size] for at in range(0, len(places), size))

    def _step(self, number: int, batches: list[Examples_B]) -> dict[str, Any]:
        """Take a step; the line of the log about it."""
        value = rate(self.choice.config, number, self.steps)
        set_rate(self.stepper.optimizer, value)
        loss, length = self.stepper(number, batches)
        worst = _WORST_LOSS * max(1.0, math.log(len(self.classifier.labels)))
        if not (math.isfinite(loss) and math.isfinite(length) and loss < worst):
            raise ModelError(
                f"learning has come apart at step {number + 1:,}: the loss is {loss:.4g} and the "
                f"gradient {length:.3g} long, at the rate {value:.3g}. The checkpoints before that "
                f"are kept in {self.setting.folder}; try --learning_rate {value / 10:.1g} with "
                "--restart"
            )
        if self.average is not None:
            self.average.update(self.classifier.network, number)
        return {
            "step": number + 1,
            "epoch": round((number + 1) / self.order.steps_an_epoch, 4),
            "loss": loss,
            "rate": value,
            "gradient": length,
        }

    def _ready(self) -> None:
        network = self.classifier.network
        ready_to_learn(network, self.trained, frozen_norms=self.frozen_norms)

    def _every_elsewhere(self) -> str | None:
        return self.setting.elsewhere.every if self.setting.elsewhere else None

    def _is_due(self, finished: int, epoch_ends: bool, every: str | None) -> bool:
        if every is None:
            return False
        return epoch_ends if every == "epoch" else finished % int(every) == 0

    def _enough(self) -> bool:
        patience = self.choice.config.early_stopping_patience
        return patience is not None and self.history.without_better >= patience

    def _judge(self, finished: int) -> None:
        """Judge the network as it is, keep it where it is the best so far, and say so."""
        setting, network = self.setting, self.classifier.network
        if setting.judge is None:
            return
        self.stepper.optimizer.zero_grad(set_to_none=True)
        swapped = self.average.in_place_of(network) if self.average else contextlib.nullcontext()
        epoch = finished / self.order.steps_an_epoch
        with swapped:
            figures = setting.judge(self.classifier)
            metric = self.choice.config.metric_for_best_model
            better = self.history.judged(epoch, finished, figures, metric)
            if better and finished:
                self.best = {name: t.cpu().clone() for name, t in network.state_dict().items()}
        self._ready()
        setting.accelerator.log(dict(figures), step=finished)
        shown = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        setting.tell(f"epoch {epoch:.4g}: {shown}{'  (best so far)' if better else ''}")
        if setting.accelerator.is_main_process and finished:
            with contextlib.suppress(OSError):  # no picture is worth a run
                log.draw(setting.folder, self.history.epochs)

    def _save(self, finished: int, *, elsewhere: bool) -> None:
        """Write a checkpoint: the main process does, the others wait."""
        setting = self.setting
        if setting.accelerator.is_main_process:
            kinds = {
                "weights": self.classifier.network.state_dict(),
                "optimiser": checkpoint.optimiser_tensors(self.stepper.optimizer),
                "average": self.average.tensors if self.average else None,
                "best": self.best,
            }
            tensors = {kind: each for kind, each in kinds.items() if each is not None}
            facts = {
                "identity": dict(setting.identity),
                "history": asdict(self.history),
                "loss_scale": self.stepper.loss_scale,
            }
            keep = self.choice.config.save_total_limit
            place = checkpoint.write(
                setting.folder, Checkpoint(finished, tensors, facts), keep=keep
            )
            if elsewhere and setting.elsewhere is not None:
                setting.elsewhere.keep(place)
        setting.accelerator.wait_for_everyone()

    def resume(self) -> int:
        """Take up the newest whole checkpoint of the same run; how many steps it had done."""
        found, damaged = checkpoint.newest(self.setting.folder, self._check)
        for problem in damaged:
            self.setting.tell(f"passed over: {problem}")
        named = self.choice.config.resume_from_checkpoint
        named = None if named is None or named.lower() in ANY else named
        if found is None and named is not None:
            found = checkpoint.read(Path(named))
            self._check(found)
        elif named is not None:
            self.setting.tell(
                f"{named} is passed over: a run that has begun goes on from its own newest"
            )
        self._check_together(found)
        self.setting.begin()
        if found is None:
            return 0
        checkpoint.put_back(self.classifier.network.state_dict(), found.tensors["weights"])
        checkpoint.put_back_optimiser(self.stepper.optimizer, found.tensors["optimiser"])
        if self.average is not None:
            checkpoint.put_back(self.average.tensors, found.tensors["average"])
        self.best = found.tensors.get("best")
        self.history = History.of(found.facts["history"])
        self.stepper.loss_scale = found.facts["loss_scale"]
        self.setting.tell(f"going on after step {found.step:,} of {self.steps:,}")
        return found.step

    def _check_together(self, found: Checkpoint | None) -> None:
        """Stop where the processes would go on from different steps: each machine has its own disk."""
        steps = sorted(set(gather_object([found.step if found else 0])))
        if len(steps) > 1:
            raise ConfigError(
                f"the processes of this run found checkpoints of the steps {listed(map(str, steps))} in "
                f"{self.setting.folder}: --output_dir has to lie on a disk that all machines share"
            )

    def _check(self, found: Checkpoint) -> None:
        """ModelError where the checkpoint cannot be gone on from; ConfigError where it must not be,
        since it is whole and of a run with other settings."""
        identity = found.facts.get("identity")
        if not isinstance(identity, dict):
            raise ModelError("it does not say of which run it is")
        try:
            History.of(found.facts.get("history"))
        except ValueError as exc:
            raise ModelError(str(exc)) from exc
        scale = found.facts.get("loss_scale")
        if not (isinstance(scale, float) and 1 <= scale <= FIRST_LOSS_SCALE):
            raise ModelError(f"its scale of the loss is {scale!r}")
        _check_same(identity, self.setting)
        if found.step > self.steps:
            raise ModelError(f"it is of step {found.step:,}, and the run has {self.steps:,}")
        weights = self.classifier.network.state_dict()
        checkpoint.check_fits(weights, found.tensors.get("weights"))
        checkpoint.check_fits_optimiser(self.stepper.optimizer, found.tensors.get("optimiser"))
        if self.average is not None:
            checkpoint.check_fits(weights, found.tensors.get("average"))
        if "best" in found.tensors:
            checkpoint.check_fits(weights, found.tensors["best"])


def _check_same(before: Mapping[str, Any], setting: Setting) -> None:
    """A run is gone on with only as what it was."""
    now = json.loads(json.dumps(setting.identity))
    odd = [name for name in now if before.get(name) != now[name]]
    if not odd:
        return
    if odd == ["data"]:
        what = "pictures, or another split of them"
    else:
        shown = [f"{name} was {_said(before.get(name))}, is {_said(now[name])}" for name in odd]
        what = f"settings ({listed(shown, most=3)})"
    raise ConfigError(
        f"{setting.folder} holds an unfinished run with other {what}; put them back to go on with "
        "it, or add --restart to begin anew"
    )


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)
