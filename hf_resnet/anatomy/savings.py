"""What a bottleneck saves: its three convolutions against two plain 3×3 ones of the same width.

Both ways lead from the block's channels in to its channels out, at the block's output size. Shortcuts
and norms are left out, since both ways have them.
"""

from dataclasses import dataclass

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer
from hf_resnet.anatomy.figures import amount


@dataclass(frozen=True)
class Cost:
    """Of one way: the weights of its convolutions and their multiply-adds for one picture."""

    parameters: int
    multiply_adds: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


@dataclass(frozen=True)
class Saving:
    """One bottleneck worked out as an example, and all of the network's together."""

    block: Block
    size: tuple[int, int]
    convolutions: tuple[Layer, ...]
    ours: Cost
    plain: Cost
    count: int
    all_ours: Cost
    all_plain: Cost


def saving(anatomy: Anatomy) -> Saving | None:
    """What the bottlenecks save, where the network has any.

    The example is the first that gives as many channels as it takes, for there the sum is simplest.
    """
    blocks = [block for block in anatomy.blocks if block.bottleneck]
    if not blocks:
        return None
    even = [each for each in blocks if each.bottleneck and each.bottleneck[0] == each.bottleneck[2]]
    example = (even or blocks)[0]
    costs = {block.name: (_ours(anatomy, block), _plain(anatomy, block)) for block in blocks}
    nothing = Cost(0, 0)
    return Saving(
        block=example,
        size=_size(anatomy, example),
        convolutions=_convolutions(anatomy, example),
        ours=costs[example.name][0],
        plain=costs[example.name][1],
        count=len(blocks),
        all_ours=sum((ours for ours, _ in costs.values()), nothing),
        all_plain=sum((plain for _, plain in costs.values()), nothing),
    )


def in_words(saved: Saving) -> list[str]:
    """A heading, and the sum behind it with the numbers of this network."""
    assert saved.block.bottleneck  # noqa: S101  only such blocks are counted
    taken, squeezed, given = saved.block.bottleneck
    place = f"{taken} → {squeezed} → {given} channels at {saved.size[0]}×{saved.size[1]}"
    times = (
        saved.plain.parameters / saved.ours.parameters,
        saved.plain.multiply_adds / saved.ours.multiply_adds,
    )
    lines = [
        f"What a bottleneck saves, in {saved.block.name}: {place}",
        f"  bottleneck     {' + '.join(map(_weights, saved.convolutions))}",
        f"                 = {_told(saved.ours)}",
        f"  two plain 3×3  3·3·{taken}·{given} + 3·3·{given}·{given}",
        f"                 = {_told(saved.plain)}",
        f"                 {times[0]:.1f} times the weights, {times[1]:.1f} times the multiply-adds",
    ]
    if saved.count > 1:
        both = (f"  all {saved.count} together", "  against")
        lines += [
            f"{both[0]:<21}{_told(saved.all_ours)}",
            f"{both[1]:<21}{_told(saved.all_plain)}",
        ]
    return lines


def _weights(layer: Layer) -> str:
    assert layer.window and layer.input and layer.output  # noqa: S101  it is a convolution
    high, wide = layer.window.kernel
    return f"{high}·{wide}·{layer.input[1] // layer.groups}·{layer.output[1]}"


def _told(cost: Cost) -> str:
    return f"{cost.parameters:,} weights, {amount(cost.multiply_adds)} multiply-adds"


def _convolutions(anatomy: Anatomy, block: Block) -> tuple[Layer, ...]:
    """Those on the way through the block, without its shortcut."""
    return tuple(layer for layer in anatomy.layers if layer.name in block.convolutions)


def _ours(anatomy: Anatomy, block: Block) -> Cost:
    layers = _convolutions(anatomy, block)
    return Cost(
        sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)
    )


def _plain(anatomy: Anatomy, block: Block) -> Cost:
    assert block.bottleneck  # noqa: S101  only such blocks are handed in
    taken, _, given = block.bottleneck
    height, width = _size(anatomy, block)
    weights = 9 * taken * given + 9 * given * given
    return Cost(weights, weights * height * width)


def _size(anatomy: Anatomy, block: Block) -> tuple[int, int]:
    last = _convolutions(anatomy, block)[-1].output
    assert last  # noqa: S101  a layer with a window has an output
    return last[2], last[3]
