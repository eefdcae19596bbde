"""The central object: a network, its class names, its preprocess, and the facts about it.

Open one, call it on pictures, save it. A classifier is never changed: training and surgery make a
new one. `hf_resnet.json` beside the native files holds what those cannot.
"""

import dataclasses
import errno
import fnmatch
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hf_resnet.backbones import Network, open_backbone, save_backbone
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ConfigError, ModelError, listed
from hf_resnet.facts import (
    FACTS_FILE,
    FORMAT,
    Facts,
    Origin,
    as_written,
    facts_in,
    stored_facts,
)
from hf_resnet.images import as_rgb, decode, open_picture
from hf_resnet.labels import Labels
from hf_resnet.prediction import Prediction, likeliest
from hf_resnet.preprocess import Preprocess
from hf_resnet.writing import is_running, on_disk

FEATURE_MEAN_FILE = "feature_mean.safetensors"
# all that a model folder of ours may hold; whatever else lies there is a person's, and is not replaced
OWN_FILES = (
    "config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    *(FACTS_FILE, f".{FACTS_FILE}.part"),
    FEATURE_MEAN_FILE,
    "recipe.yaml",
    "splits.json",
    "report/metrics.json",
    "report/contact_sheet.png",
    "report/confusion.png",
    "report/calibration.png",
    "report/robustness.png",
    "report/index.html",
    "report/log.jsonl",
    "report/curve.png",
    "report/.*.part",
    "examples/*.jpg",
    "examples/examples.json",
    # exports are of the model as it was, and go with it
    *("onnx/model.*", "onnx/model_quantized.*", "onnx/.*.part"),
    *("openvino/model.*", "openvino/model_int8.*", "openvino/.*.part"),
    *("torch-export/model.*", "torch-export/.*.part"),
)
_OWN_FOLDERS = {name.partition("/")[0] for name in OWN_FILES if "/" in name}

Picture = Image.Image | bytes | str | Path


@dataclass(frozen=True)
class Classifier:
    """A network with the names of its classes and the preprocess it learned with.

    feature_mean_D is the mean feature of the pictures its head was fitted on, where it is known.
    """

    network: Network
    labels: Labels
    preprocess: Preprocess
    facts: Facts
    feature_mean_D: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.network.classes != len(self.labels):
            raise ModelError(
                f"the head has {self.network.classes} rows and there are {len(self.labels)} class "
                "names; each row needs one name"
            )

    def __repr__(self) -> str:
        return f"Classifier({self.facts.base_model!r}, {len(self.labels)} classes)"

    def __call__(
        self, pictures: Picture | Sequence[Picture], *, top_k: int = 5
    ) -> list[Prediction] | list[list[Prediction]]:
        """The likeliest classes of one picture, or a list of that for several."""
        if isinstance(pictures, Image.Image | bytes | str | Path):
            return self._answers([pictures], top_k)[0]
        return self._answers(pictures, top_k)

    def _answers(self, pictures: Sequence[Picture], top_k: int) -> list[list[Prediction]]:
        if not pictures:
            return []
        pixels_BCHW = np.stack(
            [self.preprocess(opened(each, self.preprocess.enough)) for each in pictures]
        )
        pixels = torch.from_numpy(pixels_BCHW).to(self.network.head.weight.device)
        with torch.inference_mode():
            logits_BK = self.network(pixels).float()
        return [self.likeliest(row_K, top_k) for row_K in logits_BK.softmax(1).cpu().numpy()]

    def likeliest(self, probabilities_K: np.ndarray, top_k: int) -> list[Prediction]:
        """The top_k classes of a row of probabilities, likeliest first."""
        return likeliest(self.labels.names, probabilities_K, top_k)

    def fingerprint(self) -> str:
        """A hash of everything that decides a picture's features: all but the head."""
        digest = hashlib.blake2b(self.preprocess.fingerprint().encode(), digest_size=16)
        head = (f"model.{self.network.head_name}.weight", f"model.{self.network.head_name}.bias")
        digest.update(self._architecture().encode())
        for name, tensor in self.network.state_dict().items():
            if name not in head:
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _architecture(self) -> str:
        """What the network does with its weights: equal tensors may be put to different use."""
        head, told = f"model.{self.network.head_name}", []
        for name, module in self.network.named_modules():
            if name != head:
                heads = getattr(module, "num_heads", getattr(module, "num_attention_heads", ""))
                told.append(f"{name} {type(module).__name__} {module.extra_repr()} {heads}")
        config = getattr(self.network.model, "config", None)
        if config is not None:
            known = config.to_dict()
            for label in ("id2label", "label2id", "num_labels", "_name_or_path", "architectures"):
                known.pop(label, None)
            told.append(json.dumps(known, sort_keys=True, default=str))
        return "\n".join(told)

    def with_head(
        self, labels: Labels, weight_KD: torch.Tensor, bias_K: torch.Tensor | None, facts: Facts
    ) -> "Classifier":
        """The same network with another head."""
        network = self.network.with_head(weight_KD, bias_K)
        return Classifier(network, labels, self.preprocess, facts, self.feature_mean_D)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a model folder; all but scratch networks open in transformers or timm as well."""
        with new_model_folder(folder, overwrite=overwrite) as place:
            self.write(place)
        return Path(folder)

    def write(self, folder: Path) -> None:
        """Write the files of the model into a folder that is already there."""
        needs = sum(
            each.numel() * each.element_size() for each in self.network.state_dict().values()
        )
        with on_disk("the model", f"{_ELSEWHERE} than {folder.parent}", needs=needs):
            self._write(folder)

    def _write(self, folder: Path) -> None:
        save_backbone(self.network, self.labels, self.preprocess, folder)
        content = {
            "format": FORMAT,
            "made_with": {name: version(name) for name in ("hf-resnet", "torch", *_LIBRARIES)},
            "preprocess": self.preprocess.to_json(),
            **dataclasses.asdict(self.facts),
        }
        # what is no number (a loss that ran away) is null in JSON, and no reader stumbles over it
        content = json.loads(json.dumps(content), parse_constant=lambda _: None)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        # a file name may hold what is no letter; here it only tells which file it was
        (folder / FACTS_FILE).write_bytes(text.encode(errors="replace"))
        if self.feature_mean_D is not None:
            save_file({"mean": self.feature_mean_D.cpu()}, folder / FEATURE_MEAN_FILE)


_LIBRARIES = ("transformers", "timm")
_ELSEWHERE = "make room, or name with --output_dir another place"


def open_classifier(model: str | ModelConfig) -> Classifier:
    """Open a model folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""
    config = model if isinstance(model, ModelConfig) else ModelConfig(model_name_or_path=model)
    backbone, folder = open_backbone(config)
    labels = Labels(backbone.names)
    stored = stored_facts(folder) if folder else {}
    origin: Origin = "untrained" if backbone.untrained_head else "pretrained"
    with as_written(folder):
        preprocess = Preprocess.from_json(stored["preprocess"]) if stored else backbone.preprocess
        facts = facts_in(stored, labels, base_model=_told(config), origin=origin)
    mean_D = _feature_mean(folder, backbone.network.width) if folder else None
    return Classifier(backbone.network, labels, preprocess, facts, mean_D)


def _told(config: ModelConfig) -> str:
    """What the network is called where it came from; of a folder its name alone, since its path might
    be read as an id of the Hub."""
    text = config.model_name_or_path
    return Path(text).resolve().name if Path(text).is_dir() else text


def _feature_mean(folder: Path, width: int) -> torch.Tensor | None:
    path = folder / FEATURE_MEAN_FILE
    if not path.exists():
        return None
    try:
        mean_D = load_file(path)["mean"]
    except (SafetensorError, OSError, KeyError) as exc:
        raise ModelError(f"{path} is damaged ({exc}); take the file from where it came") from exc
    if mean_D.shape != (width,) or not mean_D.is_floating_point() or not mean_D.isfinite().all():
        raise ModelError(
            f"{path} is not the mean feature of this network, {width} numbers, got a tensor of "
            f"{tuple(mean_D.shape)}; take the file from where it came"
        )
    return mean_D.float()


def opened(picture: Picture, at_least: int | None = None) -> Image.Image:
    """The picture in RGB, from wherever it is; at_least as for `images.decode`."""
    if isinstance(picture, Image.Image):
        return as_rgb(picture)
    if isinstance(picture, bytes):
        return decode(picture, at_least=at_least)
    return open_picture(picture, at_least=at_least)


def check_output(folder: str | Path, *, overwrite: bool) -> Path:
    """Stop before any work where a folder could not be written, or must not be."""
    place = Path(folder).resolve()
    _recover(place)
    if place.exists() and not place.is_dir():
        raise ConfigError(f"--output_dir {folder} is a file; name a folder")
    if place in (here := Path.cwd(), *here.parents):  # another folder would take its name
        raise ConfigError(
            f"--output_dir {folder} is the folder you stand in; name a new one, such as ./model"
        )
    if place.is_dir() and any(place.iterdir()):
        if not (place / FACTS_FILE).is_file():
            raise ConfigError(
                f"--output_dir {folder} holds files that are not a model of hf_resnet's; "
                "name a new folder"
            )
        if not overwrite:
            raise ConfigError(
                f"--output_dir {folder} already holds a model; name a new folder, or add "
                "--overwrite_output_dir to replace it"
            )
        if foreign := _foreign(place):
            raise ConfigError(
                f"--output_dir {folder} holds what is not of the model, and would be lost: "
                f"{listed(foreign, most=5)}; move it away, or name a new folder"
            )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as exc:
        raise ConfigError(
            f"--output_dir {folder} cannot be written: {exc.strerror}; name another place"
        ) from exc
    return place


@contextmanager
def new_model_folder(folder: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder to write in, which takes its name only when all of it is written."""
    place = check_output(folder, overwrite=overwrite)
    _sweep(place)
    fresh = place.with_name(f".{place.name}.new-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with on_disk(f"the model in {place}", _ELSEWHERE):
            fresh.mkdir()
            yield fresh
            _share(fresh)
            _replace(place, fresh, overwrite=overwrite)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _share(folder: Path) -> None:
    """Let those read who may read other new files; safetensors writes for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _replace(place: Path, fresh: Path, *, overwrite: bool) -> None:
    if not (overwrite and place.exists()):
        try:
            fresh.rename(place)  # onto a free name or an empty folder, and onto nothing else
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise ConfigError(f"{place} was filled meanwhile; name a new folder") from exc
        return
    check_output(place, overwrite=True)  # again: files may have come while the run went on
    old = place.with_name(f".{place.name}.old-{os.getpid()}")
    shutil.rmtree(old, ignore_errors=True)  # of a killed process that had our number
    place.rename(old)
    try:
        fresh.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _foreign(place: Path) -> list[str]:
    """What lies in a model folder and no run of ours wrote; of a folder its name alone."""
    found = []
    for path in sorted(place.iterdir()):
        is_own = path.name in _OWN_FOLDERS and path.is_dir() and not path.is_symlink()
        inside = sorted(path.iterdir()) if is_own else [path]
        names = [(each, each.relative_to(place).as_posix()) for each in inside]
        found += [name for each, name in names if each.is_dir() or not _is_ours(name)]
    return found


def _is_ours(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, own) for own in OWN_FILES)


def _recover(place: Path) -> None:
    """Give a model its name back where a run was killed between taking it and giving it away."""
    kept = _left(place, "old")
    if kept and not place.exists():
        kept[-1].rename(place)


def _sweep(place: Path) -> None:
    """Take away what killed saves left beside the model."""
    for path in (*_left(place, "new"), *_left(place, "old")):
        shutil.rmtree(path, ignore_errors=True)


def _left(place: Path, kind: str) -> list[Path]:
    """The hidden folders of saves to this place whose process runs no longer."""
    found = sorted(place.parent.glob(f".{glob.escape(place.name)}.{kind}-*"))
    pids = [path.name.rsplit("-", 1)[1] for path in found]
    return [
        path
        for path, pid in zip(found, pids, strict=True)
        if pid.isascii() and pid.isdigit() and not is_running(int(pid))
    ]
