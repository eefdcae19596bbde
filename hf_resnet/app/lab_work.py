"""What the lab asks of networks: layers, maps, heat, ideal pictures, and how they are fooled.

Knows nothing of gradio or of languages. Networks are those named at the start and no others; each is
opened when it is first asked for, and kept. One question is worked on at a time, since explaining hangs
hooks into a network, and the last answers are kept: the page asks again when its language changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from PIL import Image

from hf_resnet.anatomy import Anatomy, anatomy_of, picture
from hf_resnet.app.answer import LIMITS
from hf_resnet.backbones.packaged import PACKAGES
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, ModelConfig
from hf_resnet.errors import ConfigError, listed
from hf_resnet.explain import adversarial, as_png, features, gradcam, ideal, seeing
from hf_resnet.explain.adversarial import Adversarial, Attack
from hf_resnet.explain.gradcam import Heat
from hf_resnet.explain.layers import trace
from hf_resnet.explain.maps import heat_over, tiled
from hf_resnet.images import decode, open_picture
from hf_resnet.prediction import Prediction
from hf_resnet.progress import Told

OFFLINE = (
    "packaged:efficientnet-lite0",
    "scratch:resnet50",
    "scratch:resnet20-cifar",
    "scratch:plain20-cifar",
)
"""Networks that need no Hub: one that has learned from ImageNet, and our own before they learn."""

COMPUTE = ComputeConfig(precision="fp32")
MOST_KEPT = 24
MOST_LEVELS = 16
TOP = 3
SIDE = 480
STEPS = (10, 60)
MOST_SEED = 9999
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Maps:
    """One layer's answers to a picture."""

    seen: Image.Image
    grid: Image.Image
    layer: str
    kind: str
    shape: tuple[int, ...]
    shown: int
    """How many of the maps are in the grid: those that vary most."""


@dataclass(frozen=True, eq=False)
class Glow:
    """Where the network found one of its likeliest classes."""

    heat: Heat
    label: str
    over: Image.Image


def networks(model: str | None = None) -> tuple[str, ...]:
    """The names to choose from: the model given, then what opens here without a Hub."""
    here = [name for name in OFFLINE if _is_here(name)]
    return tuple(dict.fromkeys([*([model] if model else []), *here]))


def _is_here(name: str) -> bool:
    package = PACKAGES.get(name.removeprefix("packaged:"))
    return package is None or find_spec(package.module) is not None


class Bench:
    """Some networks, and one question about them at a time."""

    def __init__(self, names: Sequence[str], *, trust_remote_code: bool = False) -> None:
        self.names = tuple(names)
        self._trusted = trust_remote_code
        self._opened: dict[str, Classifier] = {}
        self._turn = threading.RLock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def open(self, name: str) -> Classifier:
        """A network of the list, opened once; a name from outside the list is refused."""
        if name not in self.names:
            raise ConfigError(f"there is no network {str(name)[:60]!r} here; {listed(self.names)}")
        with self._turn:
            if name not in self._opened:
                # code of a stranger runs only for the model that the page was started with
                trusted = self._trusted and name == self.names[0]
                self._opened[name] = open_classifier(
                    ModelConfig(model_name_or_path=name, trust_remote_code=trusted)
                )
            return self._opened[name]

    def is_untrained(self, name: str) -> bool:
        """Whether its answers mean nothing yet."""
        return any(each.origin == "untrained" for each in self.open(name).facts.classes)

    def answers(self, name: str, path: str | Path) -> tuple[Prediction, ...]:
        """The likeliest classes of the picture in a file."""

        def ask() -> tuple[Prediction, ...]:
            classifier = self.open(name)
            engine = seeing.engine_for(classifier, COMPUTE)
            odds_K = engine.probabilities(classifier.preprocess(_picture(path))[None])[0]
            return tuple(classifier.likeliest(odds_K, TOP))

        return self._once(("answers", name, str(path)), ask)

    def anatomy(self, name: str) -> tuple[Anatomy, bytes]:
        """The network taken apart, and the drawing of its blocks as a PNG."""

        def ask() -> tuple[Anatomy, bytes]:
            classifier = self.open(name)
            found = anatomy_of(classifier.network, classifier.preprocess.size)
            return found, picture(found, _plain(name))

        return self._once(("anatomy", name), ask)

    def layers(self, name: str) -> tuple[str, ...]:
        """The layers whose maps can be seen, first to last: the first one, and every block."""

        def ask() -> tuple[str, ...]:
            classifier = self.open(name)
            network, grey = classifier.network, Image.new("RGB", (64, 64), "grey")
            levels_1CHW = seeing.levels_of([seeing.window(classifier.preprocess, grey)], network)
            with seeing.held_still(network), torch.no_grad():
                traced = trace(network, seeing.network_input(classifier.preprocess, levels_1CHW))
            stacks = traced.stacks()
            return tuple(dict.fromkeys([*stacks[:1], *traced.blocks(), *stacks[-1:]]))

        return self._once(("layers", name), ask)

    def maps(self, name: str, path: str | Path, number: int) -> Maps:
        """The maps of the layer of this number, counted from 1."""
        names = self.layers(name)
        if not 1 <= number <= len(names):
            raise ConfigError(f"the layers are numbered 1 to {len(names)}, got {number}")

        def ask() -> Maps:
            found = features.explain(
                self.open(name), _picture(path), layers=names[number - 1 : number]
            )
            layer = found.layers[0]
            strongest_CHW = features.strongest(layer.maps_CHW, features.MOST_MAPS)
            grid = tiled(strongest_CHW, SIDE)
            shape = layer.maps_CHW.shape
            return Maps(found.seen, grid, layer.layer, layer.kind, shape, len(strongest_CHW))

        return self._once(("maps", name, str(path), number), ask)

    def where(self, name: str, path: str | Path) -> tuple[Image.Image, tuple[Glow, ...]]:
        """What the network sees, and where it found each of its likeliest classes."""

        def ask() -> tuple[Image.Image, tuple[Glow, ...]]:
            classifier = self.open(name)
            classes = [each.label for each in self.answers(name, path)]
            found = gradcam.explain(classifier, _picture(path), classes=classes)
            names, seen = classifier.labels.names, found.seen
            return seen, tuple(
                Glow(heat, names[heat.class_index], heat_over(seen, heat.heat_HW))
                for heat in found.heats
            )

        return self._once(("where", name, str(path)), ask)

    def ideal(
        self, name: str, label: str, *, steps: int = 20, seed: int = 0, told: Told | None = None
    ) -> ideal.Ideal:
        """The picture that the network holds for a class most, grown in four octaves of some steps."""
        if not STEPS[0] <= steps <= STEPS[1] or not 0 <= seed <= MOST_SEED:
            raise ConfigError(
                f"steps are {STEPS[0]} to {STEPS[1]} and the seed 0 to {MOST_SEED}, got {steps}, {seed}"
            )

        def ask() -> ideal.Ideal:
            growth = ideal.Growth(steps=steps)
            return ideal.explain(
                self.open(name), label, seed=seed, growth=growth, compute=COMPUTE, told=told
            )

        return self._once(("ideal", name, label, steps, seed), ask)

    def fooled(
        self,
        name: str,
        path: str | Path,
        *,
        target: str | None = None,
        attack: Attack = "pgd",
        told: Told | None = None,
    ) -> Adversarial:
        """The smallest step that changes the answer, or the one that came nearest."""
        if attack not in get_args(Attack):
            raise ConfigError(f"the attack is pgd or fgsm, got {str(attack)[:60]!r}")

        def ask() -> Adversarial:
            return adversarial.explain(
                self.open(name),
                _picture(path),
                target=target,
                attack=attack,
                most_levels=MOST_LEVELS,
                compute=COMPUTE,
                told=told,
            )

        return self._once(("fooled", name, str(path), target, attack), ask)

    def with_strength(self, name: str, found: Adversarial, levels: int) -> Adversarial:
        """The same change, made so many levels strong, and what the network says of it."""
        if not 0 <= levels <= MOST_LEVELS:
            raise ConfigError(f"the strength is 0 to {MOST_LEVELS} levels, got {levels}")
        before_HWC = np.asarray(found.original, np.float64)
        change_HWC = np.asarray(found.fooling, np.float64) - before_HWC
        times = levels / max(found.levels, 1)
        after_HWC = (before_HWC + times * change_HWC).round().clip(0, 255).astype(np.uint8)
        fooling = Image.fromarray(after_HWC)
        moved_HWC = after_HWC - before_HWC
        with self._turn:
            classifier = self.open(name)
            engine = seeing.engine_for(classifier, COMPUTE)
            pixels_1CHW = classifier.preprocess(decode(as_png(fooling)))[None]
            after = classifier.likeliest(engine.probabilities(pixels_1CHW)[0], 1)[0]
        return replace(
            found,
            fooling=fooling,
            after=after,
            fooled=after.label == found.target
            if found.target
            else after.label != found.before.label,
            levels=int(np.abs(moved_HWC).max()),
            distance=float(np.sqrt(np.square(moved_HWC / 255).sum())),
        )

    def _once(self, key: Hashable, ask: Callable[[], Found]) -> Found:
        """What was found for this key before, or is found now, in this caller's turn."""
        with self._turn:
            if key not in self._kept:
                self._kept[key] = ask()
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found: Found = self._kept[key]
            return found


def _picture(path: str | Path) -> Image.Image:
    return open_picture(path, limits=LIMITS)


def _plain(name: str) -> str:
    """The name as a title: of a folder its last part."""
    return Path(name).name if Path(name).is_dir() else name
