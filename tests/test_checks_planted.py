"""Errors put into real pictures on purpose, and how many of them are found."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.seen import see
from hf_resnet.checks.survey import survey
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import Data, load_data
from hf_resnet.images import decode
from tests.conftest import png
from tests.test_checks_contract import jpeg


@dataclass
class Planted:
    """The files that were tampered with."""

    wrong: set[str] = field(default_factory=set)
    copies: set[tuple[str, str]] = field(default_factory=set)
    """(training file, test file)"""

    broken: set[str] = field(default_factory=set)


def plant(data: Data, folder: Path, *, wrong: float, copies: int, broken: int) -> Planted:
    """The pictures of the data as files, with errors of every kind among them."""
    random, done = np.random.default_rng(0), Planted()
    names = data.labels.names
    rows = [(split.name, row) for split in (data.train, data.test) for row in split.rows()]
    mislabelled = set(random.choice(len(rows), round(len(rows) * wrong), replace=False).tolist())
    sound = []
    for number, (split, row) in enumerate(rows):
        label = row.label
        if number in mislabelled:
            label = (label + random.integers(1, len(names))) % len(names)
        path = folder / split / names[label] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row.data)
        if number in mislabelled:
            done.wrong.add(str(path))
        elif split == "train":
            sound.append((path, decode(row.data)))
    for number, at in enumerate(random.choice(len(sound), copies, replace=False).tolist()):
        path, picture = sound[at]
        ending, content = copied(path, picture, number % 4)
        copy = folder / "test" / path.parent.name / f"copy{number}{ending}"
        copy.write_bytes(content)
        done.copies.add((str(path), str(copy)))
    for number in range(broken):
        path, _ = sound[number * 7]
        whole = path.read_bytes()
        damaged = (b"", whole[: len(whole) // 2], b"<html>404", whole[:40] + b"\xff" * 200)
        path.with_name(f"broken{number}.png").write_bytes(damaged[number % 4])
        done.broken.add(str(path.with_name(f"broken{number}.png")))
    return done


def copied(path: Path, picture: Image.Image, kind: int) -> tuple[str, bytes]:
    """The same bytes, saved anew, resized, or both."""
    width, height = picture.size
    larger = picture.resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
    squashed = picture.resize((width * 3 // 2, height * 5 // 4), Image.Resampling.BILINEAR)
    changed = (path.read_bytes(), jpeg(picture, 75), png(larger), jpeg(squashed, 85))
    return (".png", ".jpg", ".png", ".jpg")[kind], changed[kind]


def found_in(folder: Path, model: str, cache: Path):
    """A function from the name of a check to the files it finds, in order, with those of pairs."""
    data = load_data(DataConfig(train_dir=str(folder)), make_validation=False)
    compute = ComputeConfig(dataloader_num_workers=1)
    looked = see(
        survey(data, workers=1),
        data,
        open_classifier(model),
        HeadConfig(feature_cache_dir=str(cache)),
        compute,
    )

    def files(name):
        return [
            (
                looked.origins[each.picture],
                None if each.other is None else looked.origins[each.other],
            )
            for each in CHECKS[name].find(looked)
        ]

    return files


@pytest.mark.npm
@pytest.mark.slow
def test_errors_planted_in_2000_pictures_of_cifar10_are_found(tmp_path):
    config = DataConfig(dataset_name="sample:cifar10", max_train_samples=1600, max_eval_samples=400)
    data = load_data(config, make_validation=False)
    planted = plant(data, tmp_path / "pictures", wrong=0.02, copies=20, broken=10)
    files = found_in(tmp_path / "pictures", "packaged:efficientnet-lite0", tmp_path / "cache")
    assert {file for file, _ in files("unreadable")} == planted.broken
    assert set(files("leaks")) >= planted.copies
    assert len(files("leaks")) <= len(planted.copies) + 2  # CIFAR-10 has a few of its own
    suspects = [file for file, _ in files("suspicious_labels")][: 2 * len(planted.wrong)]
    assert len(planted.wrong) == 40
    assert len(planted.wrong & set(suspects)) >= 0.7 * len(planted.wrong)


def test_errors_planted_in_simple_pictures_are_found(tmp_path, family_folders):
    data = load_data(DataConfig(train_dir=str(striped(tmp_path / "source"))), make_validation=False)
    planted = plant(data, tmp_path / "pictures", wrong=0.05, copies=8, broken=4)
    files = found_in(tmp_path / "pictures", str(family_folders("scratch")), tmp_path / "cache")
    assert {file for file, _ in files("unreadable")} == planted.broken
    assert set(files("leaks")) == planted.copies
    suspects = [file for file, _ in files("suspicious_labels")][: 2 * len(planted.wrong)]
    assert len(planted.wrong & set(suspects)) >= 0.7 * len(planted.wrong)


def striped(folder: Path) -> Path:
    """Pictures of three tints, each with shapes of its own."""
    random = np.random.default_rng(1)
    for split, count in (("train", 50), ("test", 15)):
        for shade, name in enumerate(("red", "green", "blue")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                coarse_HWC = random.integers(0, 110, (6, 6, 3), dtype=np.uint8)
                coarse_HWC[..., shade] += 110
                picture = Image.fromarray(coarse_HWC).resize((64, 64), Image.Resampling.BICUBIC)
                (folder / split / name / f"{number}.png").write_bytes(png(picture))
    return folder
