"""Checkpoints that are there whole or not at all, and how a run finds the newest that is.

    pets.training/
      step-00000120/     weights, optimiser, (average, best).safetensors and state.json
      step-00000240/
      log.jsonl  curve.png  recipe.yaml

A checkpoint is written under another name, put on the disk for good, and renamed. `state.json` is
written last and holds a hash of every other file and of itself, so that a damaged checkpoint is known
and the one before it taken. Safetensors and JSON alone: nothing that could run code is ever read.
Random numbers are in none of them, since those of a step are a function of the seed and the step.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.writing import on_disk

FORMAT = 1
STATE_FILE = "state.json"
_BLOCK = 1 << 20
_NAME = re.compile(r"step-[0-9]{8,}")

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on: tensors by kind (weights, optimiser, ...), and plain facts."""

    step: int
    """Steps done."""

    tensors: Mapping[str, Tensors]
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write it as folder/step-N, and let go of the oldest beyond `keep`."""
    place = folder / _name(checkpoint.step)
    needs = sum(_size(tensors) for tensors in checkpoint.tensors.values())
    growing = folder / f".{place.name}.part"
    _take_away(growing)
    advice = "make room and run the same command again, the last checkpoint is whole"
    try:
        with on_disk(f"the checkpoint {place}", advice, needs=needs):
            growing.mkdir(parents=True)
            _fill(growing, checkpoint)
            _take_away(place)  # of a run that was gone back on
            growing.rename(place)
            _settle(folder)
    finally:
        _take_away(growing)
    there = steps_in(folder)
    at = there.index(place)
    for stale in there[at + 1 :]:  # of a run that was gone back on, too
        _take_away(stale)
    for old in there[: max(0, at + 1 - keep)]:
        _take_away(old)
    return place


def _name(step: int) -> str:
    return f"step-{step:08}"


def _take_away(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)


def _size(tensors: Tensors) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _fill(folder: Path, checkpoint: Checkpoint) -> None:
    hashes = {}
    for kind, tensors in checkpoint.tensors.items():
        path = folder / f"{kind}.safetensors"
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, path)
        hashes[path.name] = _hash(path)
        _settle(path)
    state = {"format": FORMAT, "step": checkpoint.step, "files": hashes, "facts": checkpoint.facts}
    path = folder / STATE_FILE
    path.write_text(dumps(state | {"hash": _hash_of(state)}) + "\n", encoding="utf-8")
    _settle(path)
    _settle(folder)


def _settle(path: Path) -> None:
    """Have the disk, and not only the memory before it, hold the file or the folder's names."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hash(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _hash_of(state: Mapping[str, Any]) -> str:
    return hashlib.blake2b(dumps(state).encode(), digest_size=16).hexdigest()


def steps_in(folder: Path) -> list[Path]:
    """The checkpoints in the folder, the oldest first."""
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name)]
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def newest(
    folder: Path, check: Callable[[Checkpoint], None]
) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole and passes the check, and what is wrong with newer ones."""
    damaged: list[str] = []
    for path in reversed(steps_in(folder)):
        try:
            found = read(path)
            if path.name != _name(found.step):
                raise ModelError(f"it says that it is of step {found.step:,}")
            check(found)
        except ModelError as exc:
            damaged.append(f"{path.name}: {exc}")
        else:
            return found, damaged
    return None, damaged


def read(place: Path) -> Checkpoint:
    """The checkpoint; ModelError where it is not whole."""
    state = read_object(place / STATE_FILE)
    advice = "go on from another checkpoint, or begin anew with --restart"
    if state.get("format") != FORMAT:
        raise ModelError(f"{place} has format {state.get('format')}, not {FORMAT}; {advice}")
    if state.pop("hash", None) != _hash_of(state):
        raise ModelError(f"{place / STATE_FILE} is damaged; {advice}")
    files, step, facts = state.get("files"), state.get("step"), state.get("facts")
    if (
        not isinstance(files, dict)
        or not isinstance(facts, dict)
        or type(step) is not int
        or step < 1
    ):
        raise ModelError(f"{place / STATE_FILE} is not as hf_resnet writes it; {advice}")
    tensors = {}
    for name, expected in files.items():
        path = place / name
        if path.name != name or path.suffix != ".safetensors":
            raise ModelError(f"{place / STATE_FILE} names {name!r}, which is no part; {advice}")
        try:
            if path.is_symlink() or not path.is_file():
                raise ModelError(f"{path} is no file of its own; {advice}")
            if _hash(path) != expected:
                raise ModelError(f"{path} is damaged; {advice}")
            tensors[path.stem] = load_file(path)
        except (OSError, SafetensorError) as exc:
            raise ModelError(f"{path} cannot be read ({exc}); {advice}") from exc
    return Checkpoint(step, tensors, facts)


def check_fits(into: Mapping[str, Tensor], tensors: Tensors | None) -> None:
    """ModelError where the tensors are not of the same names, shapes and types, or not finite."""
    if tensors is None:
        raise ModelError("a part of it is missing")
    if odd := sorted(into.keys() ^ tensors.keys()):
        raise ModelError(f"it is of another network ({odd[0]} is in one of them only)")
    for name, tensor in into.items():
        if (tensor.shape, tensor.dtype) != (tensors[name].shape, tensors[name].dtype):
            raise ModelError(f"it is of another network ({name} differs)")
        if not torch.isfinite(tensors[name]).all():
            raise ModelError(f"{name} in it holds numbers that are not finite")


def put_back(into: Mapping[str, Tensor], tensors: Tensors) -> None:
    """Copy the tensors into those of the same names."""
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(
                tensors[name]
            )  # in place: the layout in memory stays, and with it each bit


def optimiser_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The optimiser's state, each tensor named by its weight's number and its own name."""
    numbered = [each for group in optimizer.param_groups for each in group["params"]]
    return {
        f"{number}.{name}": tensor
        for number, parameter in enumerate(numbered)
        for name, tensor in optimizer.state[parameter].items()
        if isinstance(tensor, Tensor)
    }


def check_fits_optimiser(optimizer: torch.optim.Optimizer, tensors: Tensors | None) -> None:
    """ModelError where this is not the state of this optimiser."""
    kinds = {"SGD": ("momentum_buffer",), "AdamW": ("exp_avg", "exp_avg_sq", "step")}
    numbered = [each for group in optimizer.param_groups for each in group["params"]]
    expected = {
        f"{number}.{kind}": () if kind == "step" else tuple(parameter.shape)
        for number, parameter in enumerate(numbered)
        for kind in kinds[type(optimizer).__name__]
    }
    found = tensors or {}
    same = {name: tuple(each.shape) for name, each in found.items()} == expected
    if not same or any(not each.is_floating_point() for each in found.values()):
        raise ModelError("its optimiser is of another run")


def put_back_optimiser(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give the optimiser its state back, laid out in memory as its weights are."""
    numbered = [each for group in optimizer.param_groups for each in group["params"]]
    for name, tensor in tensors.items():
        number, _, kind = name.partition(".")
        parameter = numbered[int(number)]
        if kind == "step":  # how often it was updated
            optimizer.state[parameter][kind] = tensor.to(parameter.device)
        else:
            laid_out = torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False)
            optimizer.state[parameter][kind] = laid_out.copy_(tensor)
