"""All nets of the experiment, trained one after the other on the same pictures.

The surprise: there is one kind of plain net, not two. v1 and v2 differ in where the sum stands among
convolution, norm and ReLU, and a plain net has no sum: both are the same chain of the three.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from hf_resnet.degrade.learning import Learned, Recipe, learn
from hf_resnet.degrade.pictures import Sets
from hf_resnet.progress import Pace
from hf_resnet.resnet import ResNet, named

FORMAT = 1
DEPTHS = (8, 14, 20, 32)
VERSIONS = (1, 2)


Kind = Literal["plain", "residual v1", "residual v2"]


@dataclass(frozen=True)
class Net:
    """One net of the experiment."""

    depth: int
    kind: Kind

    @property
    def name(self) -> str:
        """As in scratch:NAME."""
        if self.kind == "plain":
            return f"plain{self.depth}-cifar"
        return f"resnet{self.depth}-cifar{'-v2' if self.kind == 'residual v2' else ''}"


@dataclass(frozen=True)
class Experiment:
    """What came of it, net by net."""

    source: str
    train_pictures: int
    test_pictures: int
    side: int
    recipe: Recipe
    found: dict[Net, Learned]

    def of(self, kind: Kind) -> dict[int, Learned]:
        """The nets of one kind, by depth."""
        found = {net.depth: learned for net, learned in self.found.items() if net.kind == kind}
        return dict(sorted(found.items()))

    @property
    def kinds(self) -> list[Kind]:
        return list(dict.fromkeys(net.kind for net in self.found))

    def to_json(self) -> dict[str, Any]:
        """All that was measured, and nothing that differs from run to run."""
        return {
            "format": FORMAT,
            "source": self.source,
            "train_pictures": self.train_pictures,
            "test_pictures": self.test_pictures,
            "image_size": self.side,
            "recipe": asdict(self.recipe),
            "nets": [
                {"name": net.name, **asdict(net), **asdict(learned)}
                for net, learned in self.found.items()
            ],
        }


def nets(depths: Sequence[int] = DEPTHS, versions: Sequence[int] = VERSIONS) -> list[Net]:
    """Plain nets of these depths, and residual ones of these versions."""
    kinds: dict[int, Kind] = {1: "residual v1", 2: "residual v2"}
    chosen: list[Kind] = ["plain", *(kinds[version] for version in dict.fromkeys(versions))]
    return [Net(depth, kind) for kind in chosen for depth in dict.fromkeys(depths)]


def run(
    sets: Sets,
    chosen: Sequence[Net],
    recipe: Recipe,
    tell: Callable[[Net, Learned], None] = lambda net, learned: None,
) -> Experiment:
    """Train every net; `tell` hears of each when it is done. The same seed gives the same on a CPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = sets.train.to(device), sets.test.to(device)
    found: dict[Net, Learned] = {}
    work = len(chosen) * recipe.epochs * len(train)
    with Pace(f"Training {len(chosen)} nets", work) as pace:
        for net in chosen:
            found[net] = learn(
                _fresh(net, sets.classes, recipe.seed).to(device), train, test, recipe, pace.advance
            )
            tell(net, found[net])
    side = train.pixels_NCHW.shape[-1]
    return Experiment(sets.source, len(train), len(test), side, recipe, found)


def _fresh(net: Net, classes: int, seed: int) -> ResNet:
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers as they were
        torch.manual_seed(seed)
        model = ResNet(named(net.name), classes)
    return model.to(memory_format=torch.channels_last)
