"""What decides between epochs says the same as the full measurement does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as theirs

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.evaluation.judge import judge
from hf_resnet.evaluation.measure import measure
from hf_resnet.labels import Labels
from hf_resnet.metrics.log_loss import log_loss
from tests.test_training_head import colourful, data_of, small

COMPUTE = ComputeConfig(per_device_eval_batch_size=8, precision="fp32", dataloader_num_workers=1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_log_loss_is_that_of_scikit_learn(seed, classes, count):
    chance = np.random.default_rng(seed)
    logits_NK = chance.normal(0, 3, (count, classes)).astype(np.float32)
    truth_N = chance.integers(0, classes, count)
    odds_NK = np.exp(logits_NK.astype(np.float64))
    shares_NK = odds_NK / odds_NK.sum(axis=1, keepdims=True)
    expected = theirs(truth_N, shares_NK, labels=range(classes))
    assert log_loss(truth_N, logits_NK) == pytest.approx(expected, rel=1e-6)


def test_log_loss_does_not_overflow():
    assert log_loss(np.array([0]), np.array([[1e4, 0.0]], np.float32)) == 0
    assert log_loss(np.array([1]), np.array([[1e4, 0.0]], np.float32)) == pytest.approx(1e4)


def test_the_judge_says_what_measuring_says_and_shows_nothing(family_folders, tmp_path, capsys):
    data = data_of(colourful(tmp_path / "pictures", {"blue": 5, "green": 7, "red": 4}))
    classifier = small(open_classifier(str(family_folders("scratch"))))
    classifier = replace(classifier, labels=Labels(("10", "blue", "green", "2", "red")))
    found = judge(classifier, data.train, COMPUTE)
    assert capsys.readouterr().err == ""
    figures = measure(classifier, data.train, COMPUTE).figures
    assert found["accuracy"] == figures["accuracy"].value
    assert found["macro_f1"] == figures["macro_f1"].value
    assert found["log_loss"] > 0
