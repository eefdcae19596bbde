"""Checkpoints that are there whole or not at all, and how a run finds the newest that is.

    pets.training/
      step-00000120/     weights, optimiser, (average, best).safetensors and state.json
      step-00000240/
      log.jsonl  curve.png  recipe.yaml

A checkpoint is written under another name, put on the disk for good, and renamed. `state.json` is
written last and holds a hash of every other file, so that a damaged checkpoint is known and the one
before it taken. Safetensors and JSON alone: nothing that could run code is ever read. Random numbers
are in none of them, since those of a step are a function of the seed and the step.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.writing import on_disk

FORMAT = 1
STATE_FILE = "state.json"
_BLOCK = 1 << 20

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
    place = folder / f"step-{checkpoint.step:08}"
    needs = sum(_size(tensors) for tensors in checkpoint.tensors.values())
    growing = folder / f".{place.name}.part"
    shutil.rmtree(growing, ignore_errors=True)
    advice = "make room and run the same command again, the last checkpoint is whole"
    try:
        with on_disk(f"the checkpoint {place}", advice, needs=needs):
            growing.mkdir(parents=True)
            _fill(growing, checkpoint)
            shutil.rmtree(place, ignore_errors=True)  # of a run that was gone back on
            growing.rename(place)
            _settle(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    for old in steps_in(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return place


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
    path.write_text(dumps(state) + "\n", encoding="utf-8")
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


def steps_in(folder: Path) -> list[Path]:
    """The checkpoints in the folder, the oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and what is wrong with those that are newer."""
    damaged: list[str] = []
    for path in reversed(steps_in(folder)):
        try:
            return read(path), damaged
        except ModelError as exc:
            damaged.append(str(exc))
    return None, damaged


def read(place: Path) -> Checkpoint:
    """The checkpoint; ModelError where it is not whole."""
    state = read_object(place / STATE_FILE)
    advice = "go on from another checkpoint, or begin anew with --restart"
    if state.get("format") != FORMAT:
        raise ModelError(f"{place} has format {state.get('format')}, not {FORMAT}; {advice}")
    files, step, facts = state.get("files"), state.get("step"), state.get("facts")
    if not (isinstance(files, dict) and isinstance(step, int) and isinstance(facts, dict)):
        raise ModelError(f"{place / STATE_FILE} is not as hf_resnet writes it; {advice}")
    tensors = {}
    for name, expected in files.items():
        path = place / name
        if path.name != name or path.suffix != ".safetensors":
            raise ModelError(f"{place / STATE_FILE} names {name!r}, which is no part; {advice}")
        try:
            if _hash(path) != expected:
                raise ModelError(f"{path} is damaged; {advice}")
            tensors[path.stem] = load_file(path)
        except (OSError, SafetensorError) as exc:
            raise ModelError(f"{path} cannot be read ({exc}); {advice}") from exc
    return Checkpoint(step, tensors, facts)


def put_back(into: Mapping[str, Tensor], tensors: Tensors) -> None:
    """Copy the tensors into those of the same names; ModelError where they do not match."""
    if into.keys() != tensors.keys():
        odd = sorted(into.keys() ^ tensors.keys())
        raise ModelError(f"the checkpoint is of another network ({odd[0]} is in one of them only)")
    with torch.no_grad():
        for name, tensor in into.items():
            if tensor.shape != tensors[name].shape:
                raise ModelError(f"the checkpoint is of another network ({name} differs)")
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


def put_back_optimiser(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give the optimiser its state back, laid out in memory as its weights are."""
    numbered = [each for group in optimizer.param_groups for each in group["params"]]
    for name, tensor in tensors.items():
        number, _, kind = name.partition(".")
        if not number.isdecimal() or int(number) >= len(numbered):
            raise ConfigError("the checkpoint's optimiser is of another network; use --restart")
        parameter = numbered[int(number)]
        if tensor.shape == parameter.shape:
            laid_out = torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False)
            optimizer.state[parameter][kind] = laid_out.copy_(tensor)
        else:  # how often it was updated
            optimizer.state[parameter][kind] = tensor.to(parameter.device)
