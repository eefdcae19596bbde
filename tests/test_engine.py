import time

import numpy as np
import pytest
import torch

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Row, key_of
from hf_resnet.engine import Engine, batches
from tests.conftest import photo, png


def rows_of(datas):
    return [Row(key_of(data), i, f"picture {i}", data) for i, data in enumerate(datas)]


def run(rows, batch_size=3, workers=2, prepare=None):
    bad = []
    prepare = prepare or (lambda picture, row: np.full((3, 1, 1), row.label, np.float32))
    found = list(batches(rows, prepare, batch_size=batch_size, workers=workers, on_bad=bad.append))
    return found, bad


def test_batches_keep_the_order_even_when_some_pictures_take_longer():
    def prepare(picture, row):
        time.sleep(0.02 if row.label % 3 == 0 else 0)
        return np.full((3, 1, 1), row.label, np.float32)

    found, _ = run(rows_of([png(photo(i)) for i in range(10)]), workers=4, prepare=prepare)
    assert [label for batch in found for label in batch.labels] == list(range(10))
    assert [len(batch.keys) for batch in found] == [3, 3, 3, 1]
    assert [p for batch in found for p in batch.pixels_BCHW[:, 0, 0, 0]] == list(range(10))


def test_a_bad_picture_is_told_with_its_reason_and_stops_nothing():
    good = png(photo())
    rows = [
        *rows_of([good, b"nonsense", good, b""]),
        Row("", None, "gone.png", b"", "no such file"),
    ]
    found, bad = run(rows)
    assert [label for batch in found for label in batch.labels] == [0, 2]
    assert [each.origin for each in bad] == ["picture 1", "picture 3", "gone.png"]
    assert bad[2].reason == "no such file"


def test_rows_are_read_only_a_little_ahead():
    taken = []

    def endless():
        for row in rows_of([png(photo(size=(8, 8)))] * 1000):
            taken.append(row)
            yield row

    coming = batches(
        endless(),
        lambda picture, row: np.zeros((3, 1, 1), np.float32),
        batch_size=4,
        workers=2,
        on_bad=lambda bad: None,
    )
    next(coming)
    coming.close()
    assert len(taken) <= 16


def test_an_error_in_preparing_is_not_swallowed():
    def prepare(picture, row):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(rows_of([png(photo())]), prepare=prepare)


@pytest.fixture(scope="module")
def classifier(family_folders):
    return open_classifier(str(family_folders("transformers-resnet")))


def test_a_pictures_features_do_not_depend_on_its_neighbours(classifier):
    engine = Engine(classifier.network, ComputeConfig(per_device_eval_batch_size=4))
    pixels_BCHW = np.random.default_rng(0).normal(size=(7, 3, 64, 64)).astype(np.float32)
    together = engine.features(pixels_BCHW)
    alone = np.concatenate([engine.features(pixels_BCHW[i : i + 1]) for i in range(7)])
    assert np.array_equal(together, alone)
    assert engine.features(pixels_BCHW[:0]).shape == (0, classifier.network.width)


def test_the_engine_answers_as_the_network_does(classifier):
    pixels_BCHW = np.random.default_rng(0).normal(size=(5, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        wanted_BK = classifier.network(torch.from_numpy(pixels_BCHW)).numpy()
    exact = Engine(classifier.network, ComputeConfig(precision="fp32"))
    np.testing.assert_allclose(exact.logits(pixels_BCHW), wanted_BK, atol=1e-5)
    half = Engine(classifier.network, ComputeConfig(precision="bf16"))
    np.testing.assert_allclose(half.logits(pixels_BCHW), wanted_BK, atol=0.05)
    np.testing.assert_allclose(exact.probabilities(pixels_BCHW).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("asked_for", [3, 60_000])
def test_the_network_sees_no_more_at_once_than_it_is_asked_to_and_never_absurdly_many(
    classifier, monkeypatch, asked_for
):
    monkeypatch.setattr("hf_resnet.engine.network.MOST_AT_ONCE", 4)
    seen = []
    monkeypatch.setattr(
        classifier.network.model.__class__,
        "forward",
        watched(classifier.network.model.__class__.forward, seen),
    )
    engine = Engine(classifier.network, ComputeConfig(per_device_eval_batch_size=asked_for))
    pixels_BCHW = np.random.default_rng(0).normal(size=(7, 3, 32, 32)).astype(np.float32)
    assert engine.batch_size == min(asked_for, 4)
    assert engine.features(pixels_BCHW).shape == (7, classifier.network.width)
    assert max(seen) == engine.batch_size
    seen.clear()
    together_BK = engine.logits(pixels_BCHW)
    assert max(seen) == engine.batch_size
    one_by_one_BK = np.concatenate([engine.logits(pixels_BCHW[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(together_BK, one_by_one_BK, atol=1e-5)


def watched(forward, seen):
    def forwarded(self, pixel_values, *args, **options):
        seen.append(len(pixel_values))
        return forward(self, pixel_values, *args, **options)

    return forwarded
