"""One small net trained from nothing, and what happened inside while it learned.

A plain loop to be read: SGD with momentum, a rate that rises over the first epoch and falls along
half a cosine, pictures moved about by a few pixels. Beside the errors it keeps two things of every
convolution: the norm of its gradient, on average over all steps, and how far what it gives moves from
one epoch to the next (each channel's mean, in its own standard deviations, over the same pictures).

The surprise: with batch norm the gradient of a deep plain net does not vanish on its way back to the
first layers. It grows, and the net gets worse all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi

import torch
from torch import Tensor, nn

from hf_resnet.degrade.pictures import Pictures
from hf_resnet.resnet import ResNet

PROBED = 128
MOMENTUM, DECAY = 0.9, 1e-4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How every net is trained, all alike."""

    epochs: int
    batch: int
    rate: float
    seed: int


@dataclass(frozen=True)
class Learned:
    """What was measured; lists of layers go from the first convolution to the last."""

    train_error: float
    """The share of wrong answers on the training pictures as they are, at the end."""

    test_error: float
    error_by_epoch: tuple[float, ...]
    """On the training pictures, each asked as it was learned from."""

    loss_by_epoch: tuple[float, ...]
    gradient_by_layer: tuple[float, ...]
    shift_by_layer: tuple[float, ...]


def learn(
    model: ResNet, train: Pictures, test: Pictures, recipe: Recipe, advance: Callable[[int], None]
) -> Learned:
    """Train the net in place and measure it; advance is told of every picture."""
    convolutions = [each for each in model.modules() if isinstance(each, nn.Conv2d)]
    random = torch.Generator().manual_seed(recipe.seed)
    optimiser = torch.optim.SGD(
        model.parameters(), recipe.rate, momentum=MOMENTUM, weight_decay=DECAY
    )
    steps_an_epoch = max(len(train) // recipe.batch, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _share_of_rate(step, steps_an_epoch, recipe.epochs)
    )
    gradients = torch.zeros(len(convolutions), device=train.label_N.device)
    states = [_state(model, convolutions, train)]
    errors, losses = [], []
    for _ in range(recipe.epochs):
        model.train()
        wrong, loss_sum = gradients.new_zeros(()), gradients.new_zeros(())
        order_N = torch.randperm(len(train), generator=random)
        batches = order_N[: steps_an_epoch * recipe.batch].reshape(steps_an_epoch, -1)
        for chosen_B in batches:
            pixels_BCHW, label_B = _moved_batch(train, chosen_B, random)
            logits_BK = model(pixels_BCHW)
            loss = nn.functional.cross_entropy(logits_BK, label_B)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            gradients += torch.stack([_norm(each.weight.grad) for each in convolutions])
            optimiser.step()
            schedule.step()
            wrong += (logits_BK.detach().argmax(1) != label_B).sum()
            loss_sum += loss.detach()
            advance(len(chosen_B))
        errors.append(float(wrong) / batches.numel())
        losses.append(float(loss_sum) / len(batches))
        states.append(_state(model, convolutions, train))
    return Learned(
        train_error=_error(model, train),
        test_error=_error(model, test),
        error_by_epoch=tuple(errors),
        loss_by_epoch=tuple(losses),
        gradient_by_layer=tuple((gradients / (steps_an_epoch * recipe.epochs)).tolist()),
        shift_by_layer=_shifts(states),
    )


def _share_of_rate(step: int, steps_an_epoch: int, epochs: int) -> float:
    """Up in a line over the first epoch, down along half a cosine over the others."""
    if step < steps_an_epoch:
        return (step + 1) / steps_an_epoch
    left = (step - steps_an_epoch) / max(steps_an_epoch * (epochs - 1), 1)
    return 0.5 * (1 + cos(pi * min(left, 1.0)))


def _norm(gradient: Tensor | None) -> Tensor:
    assert gradient is not None  # noqa: S101  every convolution has a part in the loss
    norm: Tensor = torch.linalg.vector_norm(gradient)
    return norm


def _input(pixels_BCHW: Tensor) -> Tensor:
    """Bytes as numbers around 0."""
    return (pixels_BCHW.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _moved_batch(
    train: Pictures, chosen_B: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The pictures of a batch, each moved by up to an eighth of its side, and their classes."""
    side = train.pixels_NCHW.shape[-1]
    by = side // 8
    device = train.label_N.device
    corner_2B = torch.randint(0, 2 * by + 1, (2, len(chosen_B)), generator=random).to(device)
    chosen_B = chosen_B.to(device)
    framed_BCHW = nn.functional.pad(train.pixels_NCHW[chosen_B], (by, by, by, by))
    along = torch.arange(side, device=device)
    rows_BH, columns_BW = corner_2B[0, :, None] + along, corner_2B[1, :, None] + along
    picture_B = torch.arange(len(chosen_B), device=device)
    moved_BHWC = framed_BCHW.permute(0, 2, 3, 1)[
        picture_B[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]
    ]
    return _input(moved_BHWC.permute(0, 3, 1, 2)), train.label_N[chosen_B]


def _error(model: ResNet, pictures: Pictures) -> float:
    """The share of wrong answers."""
    model.eval()
    wrong = 0
    with torch.no_grad():
        for start in range(0, len(pictures), 512):
            logits_BK = model(_input(pictures.pixels_NCHW[start : start + 512]))
            wrong += int((logits_BK.argmax(1) != pictures.label_N[start : start + 512]).sum())
    return wrong / len(pictures)


def _state(
    model: ResNet, convolutions: list[nn.Conv2d], pictures: Pictures
) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of each channel that each convolution gives, over some pictures."""
    found: list[tuple[Tensor, Tensor]] = []

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        found.append((output.mean((0, 2, 3)), output.std((0, 2, 3))))

    hooks = [each.register_forward_hook(note) for each in convolutions]
    model.eval()
    try:
        with torch.no_grad():
            model(_input(pictures.pixels_NCHW[:PROBED]))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _shifts(states: list[list[tuple[Tensor, Tensor]]]) -> tuple[float, ...]:
    """How far each layer's channels moved from epoch to epoch, on average, from the second on: what a
    net begins with is left at once."""
    moves_EL = [
        [
            float(((mean - before) / (spread + 1e-6)).abs().mean())
            for (before, spread), (mean, _) in zip(earlier, later, strict=True)
        ]
        for earlier, later in pairwise(states[1:])
    ]
    if not moves_EL:
        return ()
    return tuple(sum(moves) / len(moves) for moves in zip(*moves_EL, strict=True))
