"""How a report came to be: the exact command, the fingerprint of the weights, the versions.

Knows nothing of what was measured. The surprise: a flag that stands as it usually does is left out of
the command, so that a person reads what was asked for and no more.
"""

from importlib.metadata import version
from typing import Any

from hf_resnet.classifier import Classifier
from hf_resnet.commands.kept import weights_fingerprint
from hf_resnet.config import ComputeConfig, as_dict
from hf_resnet.evaluation.page import About


def about(
    model: str,
    command: tuple[str, ...],
    compute: ComputeConfig,
    network: Classifier | None,
    backend: str = "torch",
) -> About:
    """What the page says of the model that is there now; network is None where an export answered."""
    by = f"torch {version('torch')}" if backend == "torch" else backend
    return About(
        model=model,
        network=weights_fingerprint(network) if network else None,
        command=command,
        made_with=(f"hf-resnet {version('hf-resnet')}", by, f"precision {compute.precision}"),
    )


def command_of(name: str, config: Any, usual: Any) -> tuple[str, ...]:
    """What to type for this config; usual is one in which nothing was asked for."""
    words, before = ["hf-resnet", name], as_dict(usual)
    for flag, value in as_dict(config).items():
        if value == before[flag]:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *map(str, value if isinstance(value, list) else [value])]
    return tuple(words)
