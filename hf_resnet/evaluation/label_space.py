"""Where the classes of a data set and those of a model meet: by name, never by index."""

import shlex
from collections import defaultdict

import numpy as np

from hf_resnet.errors import LabelError, did_you_mean, listed
from hf_resnet.labels import Labels
from hf_resnet.metrics.arrays import IntArray


def model_numbers(data: Labels, model: Labels) -> IntArray:
    """For each class of the data its number in the model.

    A model may have more classes than the data; the data may have none that the model lacks.
    """
    found = {name: model.matches(name) for name in data}
    if missing := [name for name, numbers in found.items() if not numbers]:
        raise LabelError(_missing(missing, found, model))
    for name, numbers in found.items():
        if len(numbers) > 1:
            several = listed((repr(model.names[k]) for k in numbers), last="or")
            raise LabelError(
                f"the class {name!r} of the data could be {several} of the model; "
                "call it by the whole name"
            )
    _refuse_shared(found, model)
    return np.array([numbers[0] for numbers in found.values()], dtype=np.int64)


def _missing(missing: list[str], found: dict[str, list[int]], model: Labels) -> str:
    taken = {number for numbers in found.values() for number in numbers}
    idle = [name for number, name in enumerate(model) if number not in taken]
    lacks = f"; the data has no {listed(map(repr, idle), last='or', most=5)}" if idle else ""
    near = did_you_mean(missing[0], idle) if len(missing) == 1 else ""
    return (
        f"the model has no class {listed(map(repr, missing), last='or')}{lacks}{near}. "
        "Classes meet by name: rename the data's, or the model's with hf-resnet relabel "
        f"--model_name_or_path MODEL --rename {shlex.quote(_example(missing[0], idle))} "
        "--output_dir NEW; or teach it new ones with hf-resnet relabel --model_name_or_path MODEL "
        f"--add {shlex.quote(','.join(missing[:10]))} --add_dir PICTURES --output_dir NEW"
    )


def _example(wanted: str, idle: list[str]) -> str:
    return f"{idle[0] if len(idle) == 1 else 'OLD'}={wanted}"


def _refuse_shared(found: dict[str, list[int]], model: Labels) -> None:
    names = defaultdict(list)
    for name, numbers in found.items():
        names[numbers[0]].append(name)
    for number, same in names.items():
        if len(same) > 1:
            raise LabelError(
                f"{listed(map(repr, same))} of the data are all {model.names[number]!r} of the "
                "model; make them one class, or give them names that the model tells apart"
            )
