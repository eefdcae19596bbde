"""What a run will need of memory, said before it starts, and made to fit a budget.

The process as it is now is measured; what a step adds to it is rehearsed without computing; the copies
of the weights are counted. Knows nothing of the data set. The surprise: a batch can be halved without
changing what is learned, since the gradients of two halves add up to those of the whole; so that is
tried first, then computing activations twice, and training less of the network last.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import psutil  # type: ignore[import-untyped]
import torch
from rich.table import Table

from hf_resnet.backbones import Network
from hf_resnet.backbones.stages import stages_of
from hf_resnet.errors import ConfigError
from hf_resnet.precision import Precision
from hf_resnet.training.choice import TrainedMethod
from hf_resnet.training.rehearsal import Held, Pass, bytes_to_answer, bytes_to_learn

FEWEST_BEFORE_RECOMPUTING = 8
FEWEST = 2  # a batch-norm in training cannot do with one picture
MB, GB = 10**6, 10**9

# A backward pass makes its tensors between those it lets go, which leaves holes in the heap that
# larger ones do not fit in. Fitted to what `python -m hf_resnet.bench.memory` measures on Linux with
# the heap setting on; without it the holes are about as large. CUDA's allocator fills its holes, and
# its figure is a guess at the room that convolutions work in.
_HOLES = {"cpu": 0.2, "cuda": 0.0}
_AGAIN = 0.75  # what is computed a second time fits where the last block's was
_SCRATCH = {"cpu": 120 * MB, "cuda": 200 * MB}
_CUDA_CONTEXT = 450 * MB
_WORKER = 60 * MB
_PREFETCHED = 2  # batches that wait in every worker process

_METHODS: tuple[TrainedMethod, ...] = ("full", "last_stage", "head")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All of a run that its memory depends on, beside the network."""

    batch: int
    size: tuple[int, int]
    """Height and width of the pictures."""

    method: TrainedMethod
    optim: Literal["sgd", "adamw"] = "sgd"
    precision: Precision = "fp32"
    recompute: bool = False
    frozen_norms: bool = True
    """Batch-norms keep their statistics."""

    ema: bool = False
    l2_sp: bool = False
    accumulation: int = 1
    workers: int = 0
    """Processes that make pictures ready."""

    eval_batch: int = 32
    """Pictures judged at once."""

    device: str = "cpu"

    @property
    def effective(self) -> int:
        """Pictures that one step of the optimiser learns from."""
        return self.batch * self.accumulation


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes, by what they are for, at the fullest moment of the run."""

    weights: int
    """The network as it came, the one that learns, the best so far, and averages of it."""

    gradients: int
    optimiser: int
    activations: int
    """What the gradients are made from; or, where that is more, what judging takes."""

    slack: int
    """Room that is lost between what comes and goes, and that operations work in."""

    process: int
    """All that is there already, and the processes that make pictures ready."""

    @property
    def total(self) -> int:
        return (
            self.weights
            + self.gradients
            + self.optimiser
            + self.activations
            + self.slack
            + self.process
        )


Row = tuple[Setup, Need]


def need(network: Network, setup: Setup) -> Need:
    """What a run needs at the most. Ask when the network is open and before it learns."""
    kind = "cuda" if setup.device.startswith("cuda") else "cpu"
    device = torch.device(kind if torch.cuda.is_available() else "cpu")  # to rehearse on
    once = sum(each.nbytes for each in [*network.parameters(), *network.buffers()])
    judged = Pass(setup.eval_batch, setup.size, device, setup.precision)
    # the engine works with a copy whose batch-norms are folded
    judging = once + bytes_to_answer(network, judged).most
    held, copies = Held(0, 0, 0), 1
    if setup.method != "head":
        held = bytes_to_learn(
            network,
            Pass(setup.batch, setup.size, device, setup.precision),
            trained=1 if setup.method == "last_stage" else len(stages_of(network)),
            recompute=setup.recompute,
            accumulated=setup.accumulation > 1,
            frozen_norms=setup.frozen_norms,
        )
        copies = 3 if kind == "cpu" else 2  # the best so far stays on the CPU
    optimiser = held.gradients * {"sgd": 1, "adamw": 2}[setup.optim]
    holes = _HOLES[kind] * (_AGAIN if setup.recompute else 1)
    most = max(held.most, judging)
    return Need(
        weights=once * (copies + setup.ema) + held.gradients * setup.l2_sp,
        gradients=held.gradients,
        optimiser=optimiser,
        activations=most - held.gradients,
        slack=_SCRATCH[kind] + round(holes * held.made_going_back),
        process=_process(setup, already=once if network.head.weight.device.type == "cpu" else 0),
    )


def _process(setup: Setup, *, already: int) -> int:
    if setup.device.startswith("cuda"):
        return _CUDA_CONTEXT
    waiting = setup.accumulation + _PREFETCHED * setup.workers
    pictures = waiting * setup.batch * setup.size[0] * setup.size[1] * 3
    resident: int = psutil.Process().memory_info().rss
    return max(0, resident - already) + pictures + setup.workers * _WORKER


def alternatives(network: Network, setup: Setup) -> list[Row]:
    """The setup among others: every method, with and without recomputing, and half its batch."""
    setups = []
    for method in _METHODS:
        for recompute in (False, True) if method != "head" else (False,):
            batches = _batches(replace(setup, method=method, recompute=recompute))
            most = 2 if method == setup.method != "head" else 1
            setups += list(itertools.islice(batches, most))
    if setup not in setups:
        setups.insert(0, setup)
    return [(each, need(network, each)) for each in setups]


def room(device: str) -> int | None:
    """The memory that there is, taken or not; None where that cannot be told."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    whole: int = psutil.virtual_memory().total
    return whole if torch.device(device).type == "cpu" else None


def table(
    rows: Iterable[Row], chosen: Setup, *, budget: int | None = None, there: int | None = None
) -> Table:
    """For the screen: rich.print(table(alternatives(network, setup), setup)). there is the memory of
    the machine, which is told where the plan is beyond it."""
    title = "Memory at the fullest moment"
    if budget is not None:
        title += f", with {in_words(budget)} allowed"
    shown = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0)
    )
    rows = list(rows)
    if any(there is not None and needed.total > there for setup, needed in rows if setup == chosen):
        shown.caption = (
            f"This is more than the {in_words(there or 0)} that this machine has: --memory_budget "
            f"{(there or 0) * 0.8 / 1e9:.1f}GB makes it fit."
        )
        shown.caption_justify = "left"
    for name in ("", "method", "batch", "twice"):
        shown.add_column(name, no_wrap=True)
    for name in ("weights", "grads", "optim.", "activ.", "rest", "total"):
        shown.add_column(name, justify="right", no_wrap=True)
    for setup, needed in rows:
        too_much = budget is not None and needed.total > budget
        mark = "→" if setup == chosen else "✗" if too_much else ""
        batch = f"{setup.batch} x {setup.accumulation}" if setup.accumulation > 1 else setup.batch
        if setup.method == "head":
            batch = setup.eval_batch  # it learns from features, and no batch of pictures
        shown.add_row(
            mark,
            setup.method,
            str(batch),
            "yes" if setup.recompute else "no",
            *map(in_words, _parts(needed)),
            style="bold" if setup == chosen else "dim" if too_much else None,
        )
    return shown


def _parts(needed: Need) -> tuple[int, ...]:
    """What a row shows; what is lost and what was there before are one, to fit a narrow screen."""
    rest = needed.slack + needed.process
    shown = (needed.weights, needed.gradients, needed.optimiser, needed.activations)
    return (*shown, rest, needed.total)


def in_words(count: int) -> str:
    """Bytes as a person writes them: 812 MB, 2.41 GB."""
    return f"{count / GB:.2f} GB" if count >= GB else f"{count / MB:.0f} MB"


def fit(network: Network, setup: Setup, budget_bytes: int) -> Setup:
    """The best setup that fits: see the module's text for what is given up first."""
    for setups in _ever_less(setup):
        least = need(network, setups[-1]).total
        if least <= budget_bytes:
            fitting = (each for each in setups if need(network, each).total <= budget_bytes)
            return next(fitting, setups[-1])
    raise ConfigError(
        f"--memory_budget {in_words(budget_bytes)} is too little for this network: the least it "
        f"takes is {in_words(least)} (--method {setups[-1].method}, batch {setups[-1].batch}); allow "
        "that much, or take a smaller network or --image_size"
    )


def step_down(setup: Setup) -> Setup | None:
    """What to try after the memory was not enough; None where nothing is left."""
    smaller = next(iter(list(_batches(setup))[1:]), None)
    few = smaller is None or smaller.batch < FEWEST_BEFORE_RECOMPUTING
    if few and not setup.recompute and setup.method != "head":
        return replace(setup, recompute=True)
    return smaller


def _ever_less(setup: Setup) -> Iterator[list[Setup]]:
    """What may be tried, the better first, in lists whose members differ in their batch alone."""
    for method in _METHODS[_METHODS.index(setup.method) :]:
        start = replace(setup, method=method)
        batches = list(_batches(start))
        if method == "head" or setup.recompute:
            yield batches
        else:
            yield [b for b in batches if b == start or b.batch >= FEWEST_BEFORE_RECOMPUTING]
            yield list(_batches(replace(start, recompute=True)))


def _batches(setup: Setup) -> Iterator[Setup]:
    """The setup, then with ever smaller batches, halved or nearly so, of the same sum."""
    yield setup
    batch, whole = setup.batch, setup.effective
    while smaller := [b for b in range(FEWEST, batch // 2 + 1) if whole % b == 0]:
        batch = smaller[-1]
        judged = min(setup.eval_batch, batch)
        yield replace(setup, batch=batch, accumulation=whole // batch, eval_batch=judged)
