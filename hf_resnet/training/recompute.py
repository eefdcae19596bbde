"""Gradient checkpointing: what is inside a block is computed again in the backward pass, not kept.

Blocks are found by structure alone, below the stages that are trained: the residual blocks or
transformer layers that a stage repeats. Knows nothing of optimisers or of memory sizes. The surprise:
a batch-norm in training takes the statistics of every batch it sees into its running ones, and would
take them twice; so in the second pass it works on a copy of these.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hf_resnet.backbones import Network
from hf_resnet.backbones.stages import stages_of

_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@contextmanager
def recomputing(network: Network) -> Iterator[None]:
    """Within it, blocks that are trained keep their input alone for the backward pass.

    Only how a block is called changes, for as long as the context lasts: no module is wrapped and no
    name is another. Call it after freezing, since what is frozen keeps nothing in any case.
    """
    blocks = trained_blocks(network)
    try:
        for block in blocks:
            block.forward = partial(_checkpointed, block, block.forward)
        yield
    finally:
        for block in blocks:
            vars(block).pop("forward", None)  # what its class defines shows again


def trained_blocks(network: Network) -> list[nn.Module]:
    """The blocks of all stages with anything in them that learns, the lowest first."""
    found = [
        block
        for names in stages_of(network).modules
        for block in _blocks_of_stage([network.get_submodule(name) for name in names])
    ]
    return [block for block in found if any(each.requires_grad for each in block.parameters())]


def _blocks_of_stage(modules: list[nn.Module]) -> list[nn.Module]:
    """Several of one kind in one stage are its blocks; what is alone is looked into."""
    kinds = Counter(type(module) for module in modules if not isinstance(module, _LISTS))
    return [
        block
        for module in modules
        for block in ([module] if kinds[type(module)] > 1 else _blocks(module))
        if _holds_layers(block)
    ]


def _blocks(module: nn.Module) -> list[nn.Module]:
    """The members of the lists in a module; one without such lists is a block itself."""
    if isinstance(module, _LISTS) or _repeats_one_kind(module):
        return [
            block
            for child in module.children()
            for block in (_blocks(child) if isinstance(child, _LISTS) else [child])
        ]
    lists = [child for child in module.children() if isinstance(child, _LISTS)]
    return [block for each in lists for block in _blocks(each) if _holds_layers(block)] or [module]


def _holds_layers(module: nn.Module) -> bool:
    return any(_has_weights(child) for child in module.children())


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _repeats_one_kind(module: nn.Module) -> bool:
    """Whether it is a list that does not say so, as timm's RegNet stages and DenseNet blocks are."""
    children = [child for child in module.children() if _has_weights(child)]
    alike = len({type(child) for child in children}) == 1
    return alike and all(_holds_layers(c) and not isinstance(c, _LISTS) for c in children)


def _checkpointed(block: nn.Module, forward: Any, *inputs: Any, **named: Any) -> Any:
    if not torch.compiler.is_compiling():  # a compiled second pass has no effect on the statistics
        named["context_fn"] = partial(_passes, block)
    return checkpoint(
        forward,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=True,  # the same units are dropped in both passes
        **named,
    )


def _passes(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the first pass through a block, and the second."""
    return nullcontext(), _statistics_set_aside(block)


@contextmanager
def _statistics_set_aside(block: nn.Module) -> Iterator[None]:
    """The running statistics of norms are copies meanwhile."""
    norms = [
        module for module in block.modules() if getattr(module, "running_mean", None) is not None
    ]
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    try:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
