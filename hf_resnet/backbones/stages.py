"""The stages of a network, from the pixels up: what is frozen together, and what learns at one rate.

Found by structure alone, so that every source and family is divided by the same rule. Descend into
whatever part holds nearly all of the layers; the parts found there are gathered into at most four
stages. What lies before them (the stem) goes to the lowest, what comes after (a last convolution or
norm) to the highest. The head is of no stage: it always learns.
"""

import itertools
from dataclasses import dataclass

from torch import nn

from hf_resnet.backbones.network import Network

MOST_STAGES = 4
_NEARLY_ALL = 0.8  # the longest stage of a ResNet-152 has 72 % of its layers


@dataclass(frozen=True)
class Stages:
    """The names of the modules of each stage, the lowest stage first."""

    modules: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.modules)

    def of(self, name: str) -> int:
        """The stage of a module or tensor; what belongs to the network as a whole is in the lowest."""
        for number, names in enumerate(self.modules):
            if any(name == each or name.startswith(f"{each}.") for each in names):
                return number
        return 0


def stages_of(network: Network) -> Stages:
    """One to four stages that hold every weight but the head's."""
    before: list[str] = []
    after: list[str] = []
    layers = _parts(network, "model")
    while layers and max(layers.values()) > _NEARLY_ALL * sum(layers.values()):
        largest = max(layers, key=layers.__getitem__)
        inside = _parts(network, largest)
        if not inside:
            break
        names = list(layers)
        at = names.index(largest)
        before, after = [*before, *names[:at]], [*names[at + 1 :], *after]
        layers = inside
    stem, names, top = _ends(network, list(layers))
    runs = _gathered(names)
    runs[0] = [*before, *stem, *runs[0]]
    runs[-1] = [*runs[-1], *top, *after]
    return Stages(tuple(map(tuple, runs)))


def _parts(network: Network, name: str) -> dict[str, int]:
    """The children of a module that have more weights than the head's: how many layers have some."""
    found = {}
    for child, part in network.get_submodule(name).named_children():
        layers = [each for each in part.modules() if each is not network.head and _has_own(each)]
        if layers:
            found[f"{name}.{child}"] = len(layers)
    return found


def _has_own(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def _ends(network: Network, names: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Single layers at both ends are stem and top, where there are stages between them."""
    inner = [i for i, name in enumerate(names) if any(network.get_submodule(name).children())]
    if len(inner) < 2:
        return [], names, []
    return names[: inner[0]], names[inner[0] : inner[-1] + 1], names[inner[-1] + 1 :]


def _gathered(names: list[str]) -> list[list[str]]:
    """The names in at most four runs of about the same length, the longer ones first."""
    count = max(1, min(MOST_STAGES, len(names)))
    each, longer = divmod(len(names), count)
    ends = [number * each + min(number, longer) for number in range(count + 1)]
    return [names[start:stop] for start, stop in itertools.pairwise(ends)]
