"""Every picture goes through the network once in its life, and comes back in the order of the split."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_resnet import augment
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import Split, load_data, pictures
from hf_resnet.engine import reading
from hf_resnet.errors import DataError, ModelError, PictureError
from hf_resnet.head.features import Features, extract
from hf_resnet.head.share import NO_LABEL
from hf_resnet.images import open_picture
from tests.conftest import photo, png

REPOSITORY = Path(__file__).parents[1]
COMPUTE = ComputeConfig(per_device_eval_batch_size=4, precision="fp32", dataloader_num_workers=1)


@pytest.fixture
def classifier(family_folders) -> Classifier:
    return small(open_classifier(str(family_folders("transformers-resnet"))))


def small(classifier: Classifier) -> Classifier:
    return replace(classifier, preprocess=classifier.preprocess.with_changes(image_size=32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven pictures of two classes."""
    for number in range(11):
        place = tmp_path / "pictures" / ("ash" if number < 6 else "birch")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:02}.png").write_bytes(png(photo(number)))
    return tmp_path / "pictures"


def split_of(folder: Path) -> Split:
    split = load_data(DataConfig(train_dir=str(folder)), make_validation=False).train
    assert split
    return split


@pytest.fixture
def run(classifier: Classifier, folder: Path, tmp_path: Path) -> Callable[..., Features]:
    """Extract the features of the folder as it is now, with a store that lasts for the test."""

    def extracted(views: int = 1, of: Classifier = classifier, **options) -> Features:
        head = HeadConfig(views=views, feature_cache_dir=str(tmp_path / "store"))
        compute = options.pop("compute", COMPUTE)
        return extract(of, split_of(folder), head, compute, **options)

    return extracted


@pytest.fixture
def looks(classifier: Classifier) -> list[int]:
    """How many pictures each forward pass of the network was given."""
    seen: list[int] = []
    classifier.network.model.register_forward_hook(
        lambda module, given, kept, out: seen.append(len(kept.get("pixel_values", given[:1])[0])),
        with_kwargs=True,
    )
    return seen


def in_batches(looks: list[int]) -> int:
    """Pictures that went through in batches; the engine also tries one when it makes itself ready."""
    return sum(count for count in looks if count > 1)


def all_of(features: Features) -> np.ndarray:
    return features.read(0, len(features.key_N))


def by_hand(classifier: Classifier, path: Path, **view) -> np.ndarray:
    pixels_HWC = augment.view(open_picture(path), classifier.preprocess, **view)
    pixels_BCHW = torch.from_numpy(classifier.preprocess.normalised(pixels_HWC)[None])
    with torch.inference_mode():
        return classifier.network.eval().features(pixels_BCHW)[0].numpy()


def test_view_0_is_what_the_network_says_of_the_plain_picture(run, classifier, folder):
    features = run()
    assert features.shape == (11, 1, classifier.network.width)
    for at, origin in enumerate(features.origins):
        with torch.inference_mode():
            pixels = torch.from_numpy(classifier.preprocess(open_picture(origin))[None])
            expected = classifier.network.features(pixels)[0].numpy()
        np.testing.assert_allclose(all_of(features)[at, 0], expected, atol=1e-5)


def test_the_other_views_are_those_of_augment(run, classifier):
    features = run(views=3, seed=7)
    origin, key = Path(features.origins[4]), features.key_N[4].decode()
    for number in range(3):
        expected = by_hand(classifier, origin, seed=7, key=key, number=number)
        np.testing.assert_allclose(features.read(4, 5)[0, number], expected, atol=1e-5)


def test_pictures_come_in_the_order_of_the_split_with_key_label_and_origin(run, folder):
    features, rows = run(), list(split_of(folder).rows())
    assert [key.decode() for key in features.key_N] == [row.key for row in rows]
    assert features.label_N.tolist() == [row.label for row in rows] == [0] * 6 + [1] * 5
    assert list(features.origins) == [row.origin for row in rows]


def test_pictures_without_labels_have_features_too(classifier, folder, tmp_path):
    head = HeadConfig(feature_cache_dir=str(tmp_path / "store"))
    features = extract(classifier, pictures([str(folder)]), head, COMPUTE)
    assert features.shape[0] == 11
    assert set(features.label_N) == {NO_LABEL}


def test_a_second_run_does_not_touch_the_network(run, looks):
    first = run(views=2)
    assert (in_batches(looks) >= 22, first.computed) == (True, 11)
    looks.clear()
    second = run(views=2)
    assert (looks, second.computed) == ([], 0)
    np.testing.assert_array_equal(all_of(first), all_of(second))


def test_a_renamed_picture_is_not_computed_again(run, looks, folder):
    run()
    looks.clear()
    (folder / "ash" / "00.png").rename(folder / "birch" / "other.png")
    features = run()
    assert looks == []
    assert np.bincount(features.label_N).tolist() == [5, 6]


def test_a_changed_picture_recomputes_only_itself(run, looks, folder):
    before = run(views=2)
    looks.clear()
    (folder / "ash" / "03.png").write_bytes(png(photo(99)))
    after = run(views=2)
    assert in_batches(looks) == 4  # two views, the batch of 4 filled up
    assert after.computed == 1
    same = np.arange(11) != 3
    np.testing.assert_array_equal(all_of(after)[same], all_of(before)[same])
    assert (all_of(after)[3] != all_of(before)[3]).any()


def test_more_views_compute_only_what_is_missing(run, looks):
    run(views=1)
    looks.clear()
    run(views=3)
    assert in_batches(looks) == 24  # 11 pictures in 2 more views, the last batch of 4 filled up
    looks.clear()
    run(views=2)
    assert looks == []


def test_another_seed_changes_the_views_but_not_the_plain_picture(run, looks):
    first = run(views=2, seed=1)
    looks.clear()
    second = run(views=2, seed=2)
    assert in_batches(looks) == 12  # 11 pictures in one view
    np.testing.assert_array_equal(all_of(first)[:, 0], all_of(second)[:, 0])
    assert (all_of(first)[:, 1] != all_of(second)[:, 1]).any(axis=1).all()


def test_each_picture_is_decoded_once_for_all_its_views(run, monkeypatch):
    decoded = []
    real = reading.decode
    monkeypatch.setattr(
        reading, "decode", lambda data, **how: decoded.append(data) or real(data, **how)
    )
    run(views=4)
    assert len(decoded) == 11


@pytest.mark.parametrize("change", ["preprocess", "weights", "precision"])
def test_what_decides_the_features_has_a_store_of_its_own(run, looks, classifier, change):
    run()
    looks.clear()
    other, compute = classifier, COMPUTE
    if change == "preprocess":
        other = replace(classifier, preprocess=classifier.preprocess.with_changes(mode="letterbox"))
    elif change == "weights":
        with torch.no_grad():
            next(classifier.network.parameters()).add_(0.1)
    else:
        compute = replace(COMPUTE, precision="bf16")
    run(of=other, compute=compute)
    assert in_batches(looks) == 12


def test_another_head_finds_the_same_features(run, looks, classifier):
    run()
    looks.clear()
    weight_KD = torch.randn(len(classifier.labels), classifier.network.width)
    facts = classifier.facts
    other = classifier.with_head(classifier.labels, weight_KD, classifier.network.bias_K, facts)
    assert run(of=other).computed == 0


def test_a_picture_has_the_same_features_in_any_company(run, folder):
    together = all_of(run())
    for name in ("00", "02", "03", "07", "08", "10"):
        next(folder.rglob(f"{name}.png")).unlink()
    fewer = run()
    assert fewer.computed == 0
    shutil.rmtree(fewer.folder)
    again = run()
    assert again.computed == 5
    np.testing.assert_array_equal(all_of(again), together[[1, 4, 5, 6, 9]])


def test_identical_pictures_each_have_their_place(run, folder):
    shutil.copy(folder / "ash" / "00.png", folder / "birch" / "99.png")
    features = run()
    assert features.shape[0] == 12
    np.testing.assert_array_equal(all_of(features)[0], all_of(features)[11])


def test_bad_pictures_are_listed_in_order_with_their_reasons(run, folder):
    (folder / "ash" / "000.png").write_bytes(b"not a picture")
    (folder / "birch" / "07.png").write_bytes(b"")
    (folder / "birch" / "99.png").write_bytes(png(photo(9))[:200])
    features = run(views=2)
    assert [Path(bad.origin).name for bad in features.bad] == ["000.png", "07.png", "99.png"]
    for bad in features.bad:
        with pytest.raises(PictureError) as refused:
            open_picture(bad.origin)
        assert bad.reason == str(refused.value)
    assert len({bad.reason for bad in features.bad}) == 3
    assert features.shape[0] == 10
    assert len(features.label_N) == len(features.origins) == 10
    assert not any(origin.endswith(("000.png", "07.png")) for origin in features.origins)


def test_a_bad_picture_stops_the_run_where_that_is_asked_for(run, folder):
    (folder / "ash" / "03.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"03\.png: .*--on_bad_image skip"):
        run(on_bad_image="fail")


def test_features_that_are_no_numbers_are_an_error_and_are_not_kept(run, classifier):
    head = classifier.network.head
    torch.nn.init.ones_(head.weight)
    hook = head.register_forward_pre_hook(lambda module, given: (given[0] + float("inf"),))
    with pytest.raises(ModelError, match=r"not finite for .*; try --precision fp32"):
        run()
    hook.remove()
    assert run().computed == 11


def test_a_damaged_file_of_features_is_said_and_computed_again(run, capsys):
    features = run()
    (chunk,) = features.folder.glob("*.npz")
    chunk.write_bytes(chunk.read_bytes()[:-100])
    capsys.readouterr()
    again = run()
    assert again.computed == 11
    warning, *_ = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: dropped a damaged file of features, {chunk}")
    np.testing.assert_array_equal(all_of(again), all_of(features))


def test_features_that_vanish_while_in_use_are_an_error_in_one_line(run):
    features = run()
    next(features.folder.glob("*.npz")).unlink()
    with pytest.raises(DataError, match=r"went from .*run again"):
        all_of(features)


def test_reading_leaves_no_file_behind(run):
    features = run()
    all_of(features)
    del features
    features = run()
    assert [path.suffix for path in features.folder.iterdir()] == [".npz"]


def test_the_main_process_shows_how_far_it_is(run, capsys):
    run()
    assert "Features of train: 11 pictures in" in capsys.readouterr().err


SLOW = """
import sys, time
from dataclasses import replace
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import load_data
from hf_resnet.head import store
from hf_resnet.head.features import extract
store.CHUNK_BYTES = 4 * 24 * 2  # two batches of 4 fill four chunks
model, folder, cache = sys.argv[1:]
classifier = open_classifier(model)
classifier = replace(classifier, preprocess=classifier.preprocess.with_changes(image_size=32))
classifier.network.model.register_forward_hook(lambda *_: time.sleep(0.5))
split = load_data(DataConfig(train_dir=folder), make_validation=False).train
compute = ComputeConfig(per_device_eval_batch_size=4, precision="fp32")
extract(classifier, split, HeadConfig(feature_cache_dir=cache), compute)
"""


def test_a_killed_run_goes_on_where_it_was(run, looks, folder, family_folders, tmp_path):
    model, cache = family_folders("transformers-resnet"), tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(model), str(folder), str(cache)],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    while not list(cache.rglob("*.npz")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = run()
    assert 0 < resumed.computed <= 7
    assert in_batches(looks) == resumed.computed + -resumed.computed % 4
    found = all_of(resumed)
    shutil.rmtree(resumed.folder)
    # the killed process had other threads, which may round the last digit otherwise
    np.testing.assert_allclose(found, all_of(run()), rtol=1e-5, atol=1e-6)
