"""A network's idea of a class: the picture, grown from noise, that it holds for that class most.

The picture is what is learned here, by gradient ascent on the score of the class, while the network
stays as it is. Three things keep it from being mere noise that happens to score: total variation is
paid for, so neighbouring pixels agree; every step sees it moved and scaled a little (jitter); and it
grows in octaves, from a few coarse pixels to all, so that large shapes come first.

The canvas is the frame that the preprocess scales pictures to, so that the saved PNG comes before the
network pixel for pixel. What is claimed of it is measured on that PNG: over 90 % for the class, and
the same answer when it is shifted. The surprise: such a picture often shows several animals and
their meadow, since everything that speaks for the class adds to its score.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.engine import Engine
from hf_resnet.errors import ConfigError
from hf_resnet.explain import seeing
from hf_resnet.explain.question import Answer, Need, Question
from hf_resnet.explain.sheet import Block, Panel, as_png, percent, shown
from hf_resnet.images import decode
from hf_resnet.prediction import Prediction
from hf_resnet.progress import Pace, Told

TITLE = "Ideal picture: what the network holds for the class most"
NEEDS: tuple[Need, ...] = ("class",)
WANTED = 0.9
SHIFT = 1 / 28
"""Of the side, 8 pixels of 224: how far the finished picture is shifted, in eight directions."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How the picture is grown; the defaults take some ten seconds on a CPU for a small network."""

    octaves: int = 4
    """Each has twice the side of the one before; the last is the whole canvas."""

    steps: int = 40
    """In each octave."""

    more_rounds: int = 2
    """How often the last octave is gone through again where the picture is not yet good enough."""

    views: int = 2
    """Moved and scaled copies that each step looks at."""

    smoothness: float = 150.0
    """The price of total variation at full size; a coarse octave pays in proportion to its side, for
    large shapes may have strong contrasts."""

    rate: float = 0.05


@dataclass(frozen=True, eq=False)
class Ideal:
    """The picture, and what the network says of it as a PNG."""

    picture: Image.Image
    grown: tuple[Image.Image, ...]
    """What it was at the end of each octave."""

    class_index: int
    probability: float
    answer: Prediction
    shifted: tuple[float, ...]
    """The probability of the class when the picture is shifted, in each direction,"""

    kept: tuple[bool, ...]
    """and whether the class is the answer there."""

    @property
    def holds(self) -> bool:
        """Whether it is what it claims to be."""
        return self.probability > WANTED and all(self.kept)


def explain(
    classifier: Classifier,
    class_name: str,
    *,
    seed: int = 0,
    growth: Growth | None = None,
    compute: ComputeConfig | None = None,
    told: Told | None = None,
) -> Ideal:
    """Grow the picture of a class; the same for the same seed. told hears of every step."""
    growth = growth or Growth()
    index = classifier.labels.find(class_name)
    engine = seeing.engine_for(classifier, compute)
    grown: list[Image.Image] = []
    found = None
    steps = growth.octaves * growth.steps
    title = f"Growing {classifier.labels.names[index]!r}"
    with Pace(title, steps, unit="steps", told=told) as pace:
        for number, picture in enumerate(_octaves(classifier, index, growth, seed, pace), start=1):
            grown = [*grown[: growth.octaves - 1], picture]
            if number >= growth.octaves:
                found = _judged(classifier, engine, index, tuple(grown))
                if found.holds:
                    break
    assert found is not None  # noqa: S101  the last octave is always judged
    return found


def _octaves(
    classifier: Classifier, index: int, growth: Growth, seed: int, pace: Pace
) -> Iterator[Image.Image]:
    """The picture after each octave, then after each further round of the last."""
    network, random = classifier.network, torch.Generator().manual_seed(seed)
    canvas = classifier.preprocess.resize
    for number in range(growth.octaves + growth.more_rounds):
        halvings = max(growth.octaves - 1 - number, 0)
        size = (max(canvas[0] >> halvings, 1), max(canvas[1] >> halvings, 1))
        noise_1CHW = torch.randn((1, 3, *size), generator=random).to(network.head.weight)
        if number == 0:
            ink_1CHW = 0.3 * noise_1CHW
        elif number < growth.octaves:
            ink_1CHW = _resized(ink_1CHW, size) + 0.1 * noise_1CHW
        with seeing.held_still(network):
            ink_1CHW = _climbed(classifier, ink_1CHW, index, growth, random, pace)
        yield seeing.as_picture(_painted(ink_1CHW, canvas)[0])


def _climbed(
    classifier: Classifier,
    ink_1CHW: Tensor,
    index: int,
    growth: Growth,
    random: torch.Generator,
    pace: Pace,
) -> Tensor:
    """Some steps up the score of the class. Ink is what a sigmoid makes a level of, so that no step
    leaves what a pixel can be."""
    canvas = classifier.preprocess.resize
    ink = ink_1CHW.detach().requires_grad_(True)
    price = growth.smoothness * ink.shape[2] / canvas[0]
    optimiser = torch.optim.Adam([ink], lr=growth.rate)
    wanted_V = torch.full((growth.views,), index, device=ink.device)
    for _ in range(growth.steps):
        painted = _painted(ink, canvas)
        views = [_moved(painted, classifier.preprocess.size, random) for _ in wanted_V]
        pixels_VCHW = seeing.network_input(classifier.preprocess, torch.cat(views))
        logits_VK = classifier.network(pixels_VCHW).float()
        doubt = nn.functional.cross_entropy(logits_VK, wanted_V)
        # the score as well: cross-entropy alone has no slope left once the class is sure
        loss = doubt - 0.1 * logits_VK[:, index].mean() + price * _roughness(ink)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        pace.advance(1)
    return ink.detach()


def _painted(ink_1CHW: Tensor, canvas: tuple[int, int]) -> Tensor:
    """The levels of the whole canvas."""
    return _resized(ink_1CHW.sigmoid() * 255, canvas)


def _roughness(ink_1CHW: Tensor) -> Tensor:
    """Total variation: how much neighbouring pixels differ, on average."""
    shade = ink_1CHW.sigmoid()
    down, across = shade.diff(dim=2).abs(), shade.diff(dim=3).abs()
    return torch.stack([each.mean() for each in (down, across) if each.numel()]).sum()


def _moved(levels_1CHW: Tensor, size: tuple[int, int], random: torch.Generator) -> Tensor:
    """A window of the canvas, moved around its edges and scaled a little, as the network takes it."""
    height, width = levels_1CHW.shape[2:]
    share, *turns = torch.rand(3, generator=random).tolist()
    high, wide = (max(1, round((0.85 + 0.15 * share) * side)) for side in (height, width))
    rolled = levels_1CHW.roll((int(turns[0] * height), int(turns[1] * width)), (2, 3))
    return _resized(rolled[:, :, :high, :wide], size)


def _resized(levels_1CHW: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(levels_1CHW.shape[2:]) == tuple(size):
        return levels_1CHW
    return nn.functional.interpolate(levels_1CHW, size, mode="bilinear", antialias=True)


def _judged(
    classifier: Classifier, engine: Engine, index: int, grown: tuple[Image.Image, ...]
) -> Ideal:
    """Ask about the picture as a PNG, and about it shifted."""
    picture = decode(as_png(grown[-1]))
    asked = [picture, *_shifted(picture)]
    odds_NK = engine.probabilities(np.stack([classifier.preprocess(each) for each in asked]))
    return Ideal(
        picture=picture,
        grown=grown,
        class_index=index,
        probability=float(odds_NK[0, index]),
        answer=classifier.likeliest(odds_NK[0], 1)[0],
        shifted=tuple(map(float, odds_NK[1:, index])),
        kept=tuple(bool(row_K.argmax() == index) for row_K in odds_NK[1:]),
    )


def _shifted(picture: Image.Image) -> list[Image.Image]:
    """The picture moved in eight directions, its edge repeated where it left."""
    pixels_HWC = np.asarray(picture)
    by = max(1, round(SHIFT * min(picture.size)))
    framed = np.pad(pixels_HWC, ((by, by), (by, by), (0, 0)), mode="edge")
    places = [(down, right) for down in (0, by, 2 * by) for right in (0, by, 2 * by)]
    return [
        Image.fromarray(framed[down:, right:][: picture.height, : picture.width])
        for down, right in places
        if (down, right) != (by, by)
    ]


def ask(classifier: Classifier, question: Question) -> Answer:
    """For the one class that was named."""
    if len(question.classes) != 1:
        raise ConfigError(f"--kind ideal takes one --class, got {len(question.classes)}")
    found = explain(classifier, question.classes[0], seed=question.seed, compute=question.compute)
    return Answer(
        block(found, classifier), (sentence(found, classifier),), {"ideal": found.picture}
    )


def block(found: Ideal, classifier: Classifier) -> Block:
    """The picture at the end of each octave; the last is the finished one."""
    name = shown(classifier.labels, found.class_index)
    last = len(found.grown)
    panels = [
        Panel(picture, f"octave {number} of {last}" if number < last else f"{name}, finished")
        for number, picture in enumerate(found.grown, start=1)
    ]
    kept = f"{sum(found.kept)} of {len(found.kept)}"
    heading = (
        f"{name} {percent(found.probability)}; shifted: still the answer in {kept}, the lowest "
        f"{percent(min(found.shifted))}"
    )
    if not found.holds:
        heading += f". Not reached: over {percent(WANTED)}, and the answer in every shift"
    return Block(heading, tuple(panels))


def sentence(found: Ideal, classifier: Classifier) -> str:
    """What was measured, and whether it is enough."""
    label = classifier.labels.names[found.class_index]
    told = (
        f"{label!r} gets {percent(found.probability)}; shifted in {len(found.kept)} directions it is "
        f"the answer {sum(found.kept)} times, at the lowest {percent(min(found.shifted))}"
    )
    if found.holds:
        return told
    return (
        f"{told}. That is not the ideal picture that was wanted (over {percent(WANTED)}, and the "
        f"answer in every shift; the answer is {found.answer.label!r}): try another --seed"
    )
