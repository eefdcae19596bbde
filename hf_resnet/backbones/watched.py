"""One run of a network, with an eye on what goes into every module of it and what comes out."""

from collections.abc import Callable

from torch import Tensor, nn

Before = Callable[[str, nn.Module, tuple[object, ...]], None]
After = Callable[[str, nn.Module, object], None]


def run_watched(network: nn.Module, pixels_BCHW: Tensor, before: Before, after: After) -> None:
    """Call both with each module's name, as it takes its inputs and as it gives its output."""
    hooks = []
    for name, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda m, i, n=name: before(n, m, i)))
        hooks.append(module.register_forward_hook(lambda m, i, o, n=name: after(n, m, o)))
    try:
        network(pixels_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
