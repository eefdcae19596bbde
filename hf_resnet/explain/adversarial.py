"""A picture that fools a network, with the smallest step that does, in whole levels of its pixels.

Each pixel of an 8-bit picture has 256 levels a channel, and eps says by how many levels at most any of
them is changed (the L-inf norm). One attack after the other is made with eps 1, 2, 3, …, rounded to
whole levels, and asked about, until one fools the network. FGSM takes the sign of the gradient once;
PGD takes it many times in small steps, each time back within eps. Targeted: the answer becomes one
class of yours; untargeted: any but what it was.

What is asked about at the end is the picture as a PNG, opened again and put through the preprocess and
the engine that predict with. So the whole picture is changed at the scale at which the network sees it,
since scaling it once more then changes no pixel. The surprise: being barely across the border is not
enough, because engines round in different ways; the wanted answer must lead by LEAD.

Goodfellow et al. 2014 (arXiv 1412.6572) is FGSM, Madry et al. 2017 (1706.06083) PGD.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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

Attack = Literal["pgd", "fgsm"]
TITLE = "Fooled: the smallest step that changes the answer"
NEEDS: tuple[Need, ...] = ("picture",)
MOST_LEVELS = 32
STEPS = 40
LEAD = 0.05
NOISE_TIMES = 10


@dataclass(frozen=True, eq=False)
class Adversarial:
    """What was tried and what came of it."""

    original: Image.Image
    """The whole picture at the scale the network sees it."""

    fooling: Image.Image
    """The same, changed; the one that came nearest where none fooled the network."""

    before: Prediction
    after: Prediction
    """The answer to each of them, of the engine that predicts."""

    target: str | None
    attack: Attack
    fooled: bool
    most_levels: int
    """The largest step that would have been tried."""

    levels: int
    """L-inf: the largest change of any channel of any pixel, in levels of 255."""

    distance: float
    """L2: the root of the sum of squared changes, where black to white is 1."""


def explain(
    classifier: Classifier,
    picture: Image.Image,
    *,
    target: str | None = None,
    attack: Attack = "pgd",
    most_levels: int = MOST_LEVELS,
    compute: ComputeConfig | None = None,
    told: Told | None = None,
) -> Adversarial:
    """The first eps of at most most_levels that fools it, and its picture. told hears of every trial."""
    if len(classifier.labels) < 2:
        raise ConfigError("a network with one class has no other answer, so nothing can fool it")
    original = seeing.scaled(classifier.preprocess, picture)
    engine = seeing.engine_for(classifier, compute)
    before = _answer(classifier, engine, original)[0]
    said = classifier.labels.index(before.label)
    wanted = None if target is None else classifier.labels.find(target)
    if wanted == said:
        raise ConfigError(
            f"the answer is {before.label!r} already; give another --target, or none for any other"
        )
    goal = _Goal(said, wanted)
    best, lead = original, -1.0
    title = f"Looking for the smallest step ({attack})"
    with Pace(title, None, unit="trials", told=told) as pace:
        for levels in range(1, most_levels + 1):
            for tried in ATTACKS[attack](classifier, original, goal, levels):
                pace.advance(1)
                if (ahead := goal.lead(_odds(classifier, engine, tried))) > lead:
                    best, lead = tried, ahead
            if lead >= LEAD:
                break
    change_HWC = _change(original, best)
    return Adversarial(
        original=original,
        fooling=best,
        before=before,
        after=_answer(classifier, engine, best)[0],
        target=None if wanted is None else classifier.labels.names[wanted],
        attack=attack,
        fooled=lead >= LEAD,
        most_levels=most_levels,
        levels=int(np.abs(change_HWC).max()),
        distance=float(np.sqrt(np.square(change_HWC / 255).sum())),
    )


@dataclass(frozen=True)
class _Goal:
    """Away from what was said, or, where a class is wanted, to that class."""

    said: int
    wanted: int | None

    def loss(self, logits_BK: Tensor) -> Tensor:
        """To be made small: how far what is to be is below the best of the others."""
        index = self.said if self.wanted is None else self.wanted
        score = logits_BK[0, index]
        others = logits_BK[0].clone()
        others[index] = -torch.inf
        gap = others.logsumexp(0) - score
        return -gap if self.wanted is None else gap

    def lead(self, odds_K: np.ndarray) -> float:
        """By how much probability the goal is ahead; below 0 where it is not reached."""
        index = self.said if self.wanted is None else self.wanted
        lead = float(odds_K[index] - np.delete(odds_K, index).max())
        return -lead if self.wanted is None else lead


def _fgsm(
    classifier: Classifier, original: Image.Image, goal: _Goal, levels: int
) -> Iterator[Image.Image]:
    """One step of this size along the sign of the gradient."""
    start_CHW = seeing.levels_of([original], classifier.network)[0]
    slope_CHW = _slope(classifier, start_CHW, goal)
    yield seeing.as_picture(start_CHW - levels * slope_CHW.sign())


def _pgd(
    classifier: Classifier, original: Image.Image, goal: _Goal, levels: int
) -> Iterator[Image.Image]:
    """Many small steps, each within so many levels of the start; looked at after some of them."""
    start_CHW = seeing.levels_of([original], classifier.network)[0]
    now_CHW = start_CHW.clone()
    for step in range(1, STEPS + 1):
        slope_CHW = _slope(classifier, now_CHW, goal)
        now_CHW = now_CHW - 2.5 * levels / 10 * slope_CHW.sign()
        now_CHW = (start_CHW + (now_CHW - start_CHW).clamp(-levels, levels)).clamp(0, 255)
        if step % 10 == 0:
            yield seeing.as_picture(now_CHW)


ATTACKS: dict[str, Callable[[Classifier, Image.Image, _Goal, int], Iterator[Image.Image]]] = {
    "pgd": _pgd,
    "fgsm": _fgsm,
}


def _slope(classifier: Classifier, levels_CHW: Tensor, goal: _Goal) -> Tensor:
    """The gradient of the loss by every level of the picture; 0 outside what the network sees."""
    preprocess, network = classifier.preprocess, classifier.network
    with seeing.held_still(network):
        levels = levels_CHW.detach().requires_grad_(True)
        seen_1CHW = seeing.cut_out(preprocess, levels)[None]
        loss = goal.loss(network(seeing.network_input(preprocess, seen_1CHW)).float())
        (slope_CHW,) = torch.autograd.grad(loss, levels)
    return slope_CHW


def _odds(classifier: Classifier, engine: Engine, picture: Image.Image) -> np.ndarray:
    """The probabilities of the picture as it is read back from a PNG, by the way that predicts."""
    pixels_1CHW = classifier.preprocess(decode(as_png(picture)))[None]
    odds_K: np.ndarray = engine.probabilities(pixels_1CHW)[0]
    return odds_K


def _answer(classifier: Classifier, engine: Engine, picture: Image.Image) -> list[Prediction]:
    return classifier.likeliest(_odds(classifier, engine, picture), 3)


def _change(original: Image.Image, fooling: Image.Image) -> np.ndarray:
    """By how many levels each pixel differs."""
    return np.asarray(fooling, np.int64) - np.asarray(original, np.int64)


def noise(found: Adversarial, times: int = NOISE_TIMES) -> Image.Image:
    """The change, so many times as strong, on grey: grey is no change."""
    levels_HWC = 128 + times * _change(found.original, found.fooling)
    return Image.fromarray(levels_HWC.clip(0, 255).astype(np.uint8))


def ask(classifier: Classifier, question: Question) -> Answer:
    """With the target that was named, or without any."""
    assert question.picture is not None  # noqa: S101  held by NEEDS
    found = explain(
        classifier,
        question.picture,
        target=question.target,
        attack=question.attack,
        compute=question.compute,
    )
    line = f"{question.name}: {_sentence(found)}"
    kept = {"fooling": found.fooling} if found.fooled else {}
    return Answer(block(found, classifier, question.name), (line,), kept)


def block(found: Adversarial, classifier: Classifier, name: str) -> Block:
    """Original, noise and result side by side, each cut to what the network sees."""
    labels, preprocess = classifier.labels, classifier.preprocess
    said = [
        f"{shown(labels, labels.index(each.label))} {percent(each.probability)}"
        for each in (found.before, found.after)
    ]
    norm = f"L-inf {found.levels}/255, L2 {found.distance:.2f}"
    panels = (
        Panel(seeing.window(preprocess, found.original), f"original: {said[0]}"),
        Panel(seeing.window(preprocess, noise(found)), f"noise × {NOISE_TIMES}", norm),
        Panel(seeing.window(preprocess, found.fooling), f"result: {said[1]}"),
    )
    return Block(f"{name}: {_sentence(found, short=True)}", panels, side=288)


def _sentence(found: Adversarial, *, short: bool = False) -> str:
    """What was done, and whether it worked."""
    attack = found.attack.upper()
    goal = f"to {found.target.split(',')[0]!r}" if found.target else "to any other answer"
    step = f"{found.levels} level{'s' if found.levels > 1 else ''} of 255"
    if not found.fooled:
        return (
            f"{attack} {goal}: not fooled by any step of up to {found.most_levels} levels of 255"
            + ("; --attack pgd is the stronger" if found.attack == "fgsm" else "")
        )
    if short:
        return f"{attack} {goal}, no pixel changed by more than {step}"
    smaller = "smaller ones failed" if found.levels > 1 else "the smallest there is"
    return (
        f"{found.before.label!r} {percent(found.before.probability)} became {found.after.label!r} "
        f"{percent(found.after.probability)}; {attack} {goal}, no pixel changed by more than {step} "
        f"(L2 {found.distance:.2f}), {smaller}"
    )
