"""What the page asks of a classifier: answers, where it looked, many pictures, and their CSV.

Knows nothing of gradio, of languages or of where an uploaded file came from. Every path it is handed
is read through `images` with the limits here. The network has one user at a time: explaining hangs
hooks into it, and a prediction that ran meanwhile would be caught by them. The surprise: where the
model folder has an export, that answers, and torch is imported with the first question of where it
looked.
"""

import csv
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hf_resnet.app.batching import Batcher, Compute
from hf_resnet.config import ComputeConfig, ModelConfig
from hf_resnet.engine import Answering, open_fastest
from hf_resnet.errors import PictureError
from hf_resnet.facts import Facts, as_written, facts_in, stored_facts
from hf_resnet.images import Limits, open_picture
from hf_resnet.prediction import Prediction, likeliest

if TYPE_CHECKING:
    from hf_resnet.classifier import Classifier

LIMITS = Limits(max_bytes=20 * 2**20, max_pixels=64_000_000)
"""Every phone's pictures, but not what would let a few strangers fill the memory."""

DECODED_AT_ONCE = 2
MOST_FILES = 100
TOP = 5
Borrow = Callable[[Callable[..., object]], Callable[..., object]]


@dataclass(frozen=True)
class Look:
    """The likeliest classes of one picture, likeliest first."""

    answers: tuple[Prediction, ...]
    unsure: bool = False
    """Whether the first is below the threshold that is stored with the model."""


@dataclass(frozen=True, eq=False)
class Where:
    """What the network saw, and where in it it found what speaks for its answer."""

    seen: Image.Image
    over: Image.Image
    label: str
    before: float
    covered: float
    """The probability that is left when the hottest fifth is covered."""

    found: bool
    """False where nothing in the picture speaks for the answer."""


@dataclass(frozen=True)
class FileAnswer:
    """One of many files: an answer, or the reason why there is none."""

    name: str
    look: Look | None = None
    problem: str | None = None


def itself(function: Callable[..., object]) -> Callable[..., object]:
    """The function as it is: what stands for `spaces.GPU` where no graphics card is borrowed."""
    return function


class Desk:
    """A model that many people ask at once.

    borrow wraps what uses the network, for places that lend a graphics card for the time of a call.
    Torch computes in fp32, so that an answer and its explanation give the same figures; those of an
    export may differ from the explanation's in their last digits.
    """

    def __init__(self, model: ModelConfig, *, borrow: Borrow = itself) -> None:
        answering = open_fastest(model, ComputeConfig())
        self.labels, self.preprocess = answering.labels, answering.preprocess
        self.backend, self.notes = answering.backend, answering.notes
        self.facts = _facts(model, answering)
        self.threshold = threshold(self.facts)
        self._model, self._opened, self._opening = model, answering.classifier, threading.Lock()
        probabilities = answering.probabilities
        if answering.classifier is not None:
            from hf_resnet.engine import Engine

            engine = Engine(answering.classifier.network, ComputeConfig(precision="fp32"))
            probabilities = engine.probabilities
        compute: Compute = borrow(probabilities)  # type: ignore[assignment]
        self._ask = Batcher(compute)
        self._explain = borrow(self._explained)
        self._decoding = threading.Semaphore(DECODED_AT_ONCE)

    @property
    def classifier(self) -> "Classifier":
        """The model in torch, opened when it is first asked for."""
        from hf_resnet.classifier import open_classifier

        with self._opening:
            if self._opened is None:
                self._opened = open_classifier(self._model)
            return self._opened

    def warm_up(self) -> None:
        """Compute once, so that the first person does not wait for what is made on first use."""
        self._ask(self.preprocess(Image.new("RGB", (64, 64), "grey")))

    def open(self, path: str | Path) -> Image.Image:
        """The picture in a file; few at once, since each may take hundreds of megabytes."""
        with self._decoding:
            return open_picture(path, limits=LIMITS)

    def look(self, path: str | Path, *, top: int = TOP) -> Look:
        """What the picture in a file is: its `top` likeliest classes, one at least."""
        with self._decoding:
            picture = open_picture(path, limits=LIMITS, at_least=self.preprocess.enough)
            pixels_CHW = self.preprocess(picture)
        answers = tuple(likeliest(self.labels.names, self._ask(pixels_CHW), top))
        unsure = self.threshold is not None and answers[0].probability < self.threshold
        return Look(answers, unsure)

    def where(self, path: str | Path) -> Where:
        """Where it looked for its answer."""
        picture = self.open(path)
        _ = self.classifier  # opened before the turn, so that answers need not wait for it
        with self._ask.turn:
            found = self._explain(picture)
        assert isinstance(found, Where)  # noqa: S101  borrow keeps what a function gives
        return found

    def _explained(self, picture: Image.Image) -> Where:
        from hf_resnet.engine import Engine
        from hf_resnet.explain import gradcam
        from hf_resnet.explain.maps import heat_over

        network = self.classifier.network
        network.to(Engine(network, ComputeConfig(precision="fp32")).device)
        found = gradcam.explain(self.classifier, picture)
        heat = found.heats[0]
        return Where(
            seen=found.seen,
            over=heat_over(found.seen, heat.heat_HW),
            label=self.labels.names[heat.class_index],
            before=heat.before,
            covered=heat.covered,
            found=bool(heat.heat_HW.any()),
        )

    def look_at_all(self, files: Sequence[tuple[str, str]]) -> list[FileAnswer]:
        """An answer for each (name, path), in order; a file that is no picture stops none."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda file: self._file_answer(*file), files))

    def _file_answer(self, name: str, path: str) -> FileAnswer:
        try:
            return FileAnswer(name, self.look(path, top=3))
        except PictureError as exc:
            return FileAnswer(name, problem=str(exc))


def _facts(model: ModelConfig, answering: Answering) -> Facts:
    """What is known of the model, read without torch where an export answers."""
    if answering.classifier is not None:
        return answering.classifier.facts
    folder = Path(model.model_name_or_path)
    with as_written(folder):
        return facts_in(
            stored_facts(folder), answering.labels, base_model=str(folder), origin="pretrained"
        )


def threshold(facts: Facts) -> float | None:
    """The probability below which the model had better not answer, where one was measured."""
    stored = facts.results.get("abstain_below")
    is_share = isinstance(stored, float) and bool(np.isfinite(stored)) and 0 < stored < 1
    return stored if is_share else None


def as_csv(rows: Sequence[FileAnswer]) -> str:
    """A table with the three likeliest classes of each file, as predict writes it, and whether the
    page says of it that it is none of the classes."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(
        [
            "file",
            *(f"{what}_{n}" for n in (1, 2, 3) for what in ("label", "probability")),
            *("unsure", "error"),
        ]
    )
    for row in rows:
        answers, unsure = (row.look.answers, row.look.unsure) if row.look else ((), False)
        cells = [
            text for each in answers for text in (_cell(each.label), f"{each.probability:.4f}")
        ]
        cells += [""] * (6 - len(cells))
        table.writerow([_cell(row.name), *cells, "yes" if unsure else "", _cell(row.problem or "")])
    return out.getvalue()


def _cell(text: str) -> str:
    """The text so that no table program takes it for a formula: a file may be called =CMD()."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
