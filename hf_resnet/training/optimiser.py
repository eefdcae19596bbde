"""Which weights learn, at which rate, and how the rate goes.

The rate of a step is a pure function of the step, so that no scheduler has to be kept or restored.
Each stage learns more slowly than the one above it; norms and biases are not pulled towards zero.
"""

import math
from typing import Any

import torch
from torch import nn

from hf_resnet.backbones import Network
from hf_resnet.backbones.stages import stages_of
from hf_resnet.config import TrainConfig

MOMENTUM = 0.9
ENOUGH_FOR_NORMS = 128


def freeze(network: Network, trained: int) -> None:
    """Let only the highest `trained` stages and the head learn."""
    stages = stages_of(network)
    head = {id(each) for each in network.head.parameters()}
    for name, parameter in network.named_parameters():
        learns = id(parameter) in head or stages.of(name) >= len(stages) - trained
        parameter.requires_grad_(learns)


def ready_to_learn(network: Network, trained: int, *, frozen_norms: bool) -> None:
    """Training mode where it is wanted: not in frozen stages, nor in norms whose statistics stay."""
    stages = stages_of(network)
    network.train()
    for number, names in enumerate(stages.modules):
        if number < len(stages) - trained:
            for name in names:
                network.get_submodule(name).eval()
    if frozen_norms:
        for norm in _norms(network):
            norm.eval()


def keeps_statistics(network: Network, config: TrainConfig) -> bool:
    """Whether batch-norms keep the statistics they came with.

    Where none has ever seen a picture they have to learn them. Else the statistics of a small batch
    are too coarse: a network fitted with good ones gets worse with each step.
    """
    if config.batch_norm != "auto":
        return config.batch_norm == "frozen"
    return config.per_device_train_batch_size < ENOUGH_FOR_NORMS and not knows_nothing(network)


def knows_nothing(network: Network) -> bool:
    """Whether it has batch-norms, and none of them has ever seen a picture."""
    means = [norm.running_mean for norm in _norms(network) if norm.running_mean is not None]
    return bool(means) and not any(bool(mean.any()) for mean in means)


def learns_statistics(network: nn.Module) -> bool:
    """Whether a batch-norm in it is in training: it can do nothing with a single picture."""
    return any(norm.training for norm in _norms(network))


def _norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    norms = nn.modules.batchnorm._BatchNorm
    return [each for each in network.modules() if isinstance(each, norms)]


def optimiser(network: Network, config: TrainConfig) -> torch.optim.Optimizer:
    """Over the weights that learn; every group knows its share of the rate."""
    groups = _groups(network, config)
    if config.optim == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=MOMENTUM, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


def _groups(network: Network, config: TrainConfig) -> list[dict[str, Any]]:
    assert config.layer_decay is not None  # noqa: S101  choose fills it in
    stages = stages_of(network)
    head = {id(each) for each in network.head.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        below = 0 if id(parameter) in head else len(stages) - 1 - stages.of(name)
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((config.layer_decay**below, decay), []).append(parameter)
    return [
        {"params": parameters, "share": share, "weight_decay": decay}
        for (share, decay), parameters in groups.items()
    ]


def rate(config: TrainConfig, step: int, steps: int) -> float:
    """The rate of the highest stage in a step, counted from 0, of so many."""
    assert config.learning_rate is not None  # noqa: S101  choose fills it in
    top = config.learning_rate
    kind = config.lr_scheduler_type
    warmup = config.num_warmup_steps
    if warmup is None:
        warmup = 0 if kind == "constant" else steps // 10
    if step < warmup and kind != "constant":
        return top * (step + 1) / (warmup + 1)
    if kind in ("constant", "constant_with_warmup"):
        return top
    gone = (step - warmup) / max(1, steps - warmup)
    return top * ((1 + math.cos(math.pi * gone)) / 2 if kind == "cosine" else 1 - gone)


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value * group["share"]
