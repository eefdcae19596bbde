"""A model folder from a stranger: what is looked at before another library is let near it.

Knows of headers, sizes and errors, of no library. The surprise: a few bytes of JSON can describe a
network larger than any memory. So a network is first made without memory (on torch's "meta" device)
and compared with the weights that lie beside it, which cost as much disk as they claim.
"""

import math
import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import nn

from hf_resnet.errors import HfResnetError, ModelError

# what both libraries have been seen to raise for values of other types, or none that make sense
_ODD = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    StrictDataclassError,
    pickle.UnpicklingError,
)
_DEPTHS = ("depth", "layers", "blocks", "repeats", "stages")
_MOST_LAYERS, _SPARE_LAYERS = 2000, 100
_MOST_NUMBERS = 10**10
_SPARE_NUMBERS = 20_000_000  # a head of another size, and what is made anew


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Whatever a library stumbles over in somebody's files, as a ModelError: `what`, and why.

    For calls of other libraries alone: an error of ours would pass for one of the files.
    """
    try:
        yield
    except HfResnetError:
        raise
    except _ODD as exc:
        raise ModelError(f"{what}: {first_line(exc)}") from exc


def first_line(exc: BaseException) -> str:
    """What an error says, in a line of sensible length."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):  # a heading, as torch writes
        lines[0] = f"{lines[0]} {lines[1]}"
    return lines[0][:300] if lines else type(exc).__name__


def shapes_in(weights: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors in safetensors files, by their headers alone."""
    shapes = {}
    for path in weights:
        with refusing(f"{path} is damaged"), safe_open(path, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118  it is no dictionary
                shapes[name] = tuple(tensors.get_slice(name).get_shape())
    return shapes


def check_layers(
    values: Mapping[str, Any], where: str, shapes: Mapping[str, tuple[int, ...]] | None
) -> None:
    """Stop where a config asks for more layers than its weights can fill: even without memory such a
    network would take for ever to make."""
    most = _MOST_LAYERS if shapes is None else len(shapes) + _SPARE_LAYERS
    for key, value in values.items():
        if isinstance(value, dict):
            check_layers(value, where, shapes)
            continue
        each = value if isinstance(value, list | tuple) else [value]
        numbers = [number for number in each if type(number) is int]
        if key.startswith("num_") and min(numbers, default=0) < 0:
            raise ModelError(f"{where}: {key} is {value}, and no number of things is below 0")
        is_depth = any(word in key for word in _DEPTHS)
        if len(each) > most or (is_depth and sum(map(abs, numbers)) > most):
            raise ModelError(
                f"{where}: {key} is {str(value)[:60]}, and these weights are of at most {most:,} "
                "layers; take the file from where it came"
            )


def check_fits(made: nn.Module, shapes: Mapping[str, tuple[int, ...]] | None, where: str) -> None:
    """Stop where a network made without memory is far larger than its weights; where it is to have
    none, larger than any that sorts pictures."""
    wanted = sum(each.numel() for each in made.parameters())
    held = sum(math.prod(shape) for shape in shapes.values()) if shapes is not None else 0
    if wanted > (_MOST_NUMBERS if shapes is None else 2 * held + _SPARE_NUMBERS):
        stored = (
            f"the weights hold {held:,}" if shapes is not None else f"at most {_MOST_NUMBERS:,} go"
        )
        raise ModelError(
            f"{where} describes a network of {wanted:,} numbers, and {stored}; take the file from "
            "where it came"
        )
