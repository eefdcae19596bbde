"""What the comparisons of answering look at: photos, a ResNet-50 in a folder, and its exports.

Made on this machine alone, from the two photos that scikit-learn carries. The network has random
weights, which are as slow as trained ones. Its head tells those photos apart: with a random one all
logits are nearly equal, and no two ways of computing would agree on the largest. The surprise: grain
is laid over the photos, since one that is merely enlarged is decoded sooner than a camera's.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_resnet.bench.task import Task
from hf_resnet.config import Backend
from hf_resnet.errors import HfResnetError

if TYPE_CHECKING:
    from PIL import Image

    from hf_resnet.classifier import Classifier

RESNET50 = "resnet50"
EXPORTS: tuple[Backend, ...] = ("onnx", "openvino", "onnx-int8", "openvino-int8")
KINDS = 8
"""Parts of the photos that are told apart."""

SMALL = (500, 375)
_CALIBRATION = 32


def photos(task: Task) -> dict[str, str]:
    """task.pictures JPEG files of the size task.photo, in a folder for each kind."""
    width, height = task.photo
    home = Path(task.folder, f"{width}x{height}")
    for number in range(task.pictures):
        path = home / f"{number % KINDS}" / f"{number:05}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            photo(number, task.photo).save(path, quality=90)
    return {}


def photo(number: int, size: tuple[int, int]) -> "Image.Image":
    """A part of one of the photos, another for each number; of one kind are those that are equal
    modulo KINDS."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    chance = np.random.default_rng(number)
    sources = load_sample_images().images
    source = Image.fromarray(sources[number % 2])
    kind = number % KINDS // 2
    left, top = kind % 2 * source.width / 2, kind // 2 * source.height / 2
    moved = chance.uniform(0, 12)
    box = (left + moved, top + moved, left + source.width / 2, top + source.height / 2)
    found = _grained(source.resize(SMALL, Image.Resampling.BICUBIC, box=box), chance)
    if size == SMALL:
        return found
    return _grained(found.resize(size, Image.Resampling.BICUBIC), chance)


def _grained(picture: "Image.Image", chance: np.random.Generator) -> "Image.Image":
    from PIL import Image

    grain = chance.standard_normal((picture.height, picture.width, 1), np.float32) * 4
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def model(task: Task) -> dict[str, str]:
    """Photos and the network in the folder, without exports."""
    photos(task)
    if not task.model_folder.exists():
        _taught(_opened(task)).save(task.model_folder)
    return {}


def model_and_exports(task: Task) -> dict[str, str]:
    """The same with each export; those that cannot be made here are given with the reason."""
    from hf_resnet.classifier import open_classifier
    from hf_resnet.engine.exported import has_export
    from hf_resnet.export import make, publish

    model(task)
    classifier = open_classifier(str(task.model_folder))

    def calibration() -> Iterator[np.ndarray]:
        for number in range(_CALIBRATION):
            yield classifier.preprocess(photo(1_000_000 + number, SMALL))[None]

    problems: dict[str, str] = {}
    for name in EXPORTS:
        if has_export(task.model_folder, name):
            continue
        with tempfile.TemporaryDirectory() as place:
            try:
                made = make(classifier, task.model_folder, name, calibration, Path(place))
                publish(made, task.model_folder, {})
            except HfResnetError as exc:
                problems[name] = str(exc)
    return problems


def _opened(task: Task) -> "Classifier":
    from hf_resnet.classifier import open_classifier
    from hf_resnet.config import ModelConfig

    if task.model != RESNET50:
        untrained = task.model.startswith("timm:")  # its weights would have to be fetched
        found = open_classifier(ModelConfig(model_name_or_path=task.model, random_init=untrained))
    else:
        with tempfile.TemporaryDirectory() as place:
            _write_resnet50(Path(place, "resnet-50"))
            found = open_classifier(str(Path(place, "resnet-50")))
    if task.image_size is None:
        return found
    preprocess = found.preprocess.with_changes(image_size=task.image_size)
    return replace(found, preprocess=preprocess)


def _write_resnet50(folder: Path) -> None:
    """As microsoft/resnet-50 lies on the Hub, but for the weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    network = transformers.ResNetForImageClassification(transformers.ResNetConfig())
    network.save_pretrained(folder)
    processor = transformers.ConvNextImageProcessor(
        size={"shortest_edge": 224},
        crop_pct=0.875,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    processor.save_pretrained(folder)


def _taught(classifier: "Classifier") -> "Classifier":
    """The network with a head that tells the kinds of photos apart."""
    import torch

    from hf_resnet.config import ComputeConfig
    from hf_resnet.engine import Engine
    from hf_resnet.labels import Labels

    pixels_BCHW = np.stack(
        [classifier.preprocess(photo(2_000_000 + number, SMALL)) for number in range(4 * KINDS)]
    )
    features_BD = Engine(classifier.network, ComputeConfig(precision="fp32")).features(pixels_BCHW)
    mean_KD = features_BD.reshape(-1, KINDS, features_BD.shape[1]).mean(0)
    centre_D = mean_KD.mean(0)
    weight_KD = mean_KD - centre_D
    weight_KD /= np.square(weight_KD).sum(1, keepdims=True) / 10  # its own kind has about 10
    bias_K = -weight_KD @ centre_D
    names = tuple(f"kind {number}" for number in range(KINDS))
    return classifier.with_head(
        Labels(names), torch.from_numpy(weight_KD), torch.from_numpy(bias_K), classifier.facts
    )
