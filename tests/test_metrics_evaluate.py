"""Every metric through `evaluate`, with no network and no cache."""

import os
import subprocess
import sys

import evaluate
import numpy as np
import pytest
import torch

from hf_resnet.metrics import METRICS, accuracy, confusion_matrix, macro_f1, top_k_accuracy
from hf_resnet.metrics.evaluate_metrics import COMPUTES, NEED_SCORES, load

RNG = np.random.default_rng(0)
TRUTH_N = RNG.integers(0, 6, 50)
SCORES_NK = RNG.random((50, 6))

OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse

import evaluate
from hf_resnet.metrics.evaluate_metrics import COMPUTES, load

suite = evaluate.combine([load(name) for name in COMPUTES])
scores = [[0.1, 0.2, 0.7, 0, 0], [0.5, 0.2, 0.3, 0, 0], [0.2, 0.5, 0.3, 0, 0]]
for row, truth in zip(scores, [2, 0, 0]):
    suite.add_batch(predictions=[row], references=[truth])
print(round(suite.compute()["accuracy"], 3))
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", COMPUTES)
def test_every_metric_takes_scores_in_batches_and_all_at_once_alike(name):
    batched, whole = load(name), load(name)
    for first in range(0, 50, 20):
        part = slice(first, first + 20)
        batched.add_batch(predictions=SCORES_NK[part], references=TRUTH_N[part])
    assert batched.compute() == whole.compute(predictions=SCORES_NK, references=TRUTH_N)


@pytest.mark.parametrize("name", sorted(set(COMPUTES) - NEED_SCORES))
def test_metrics_of_answers_take_class_numbers_as_well_as_scores(name):
    answers_N = SCORES_NK.argmax(axis=1)
    by_numbers = load(name).compute(predictions=answers_N.tolist(), references=TRUTH_N.tolist())
    assert by_numbers == load(name).compute(predictions=SCORES_NK, references=TRUTH_N)


def test_they_are_the_plain_functions():
    answers_N = SCORES_NK.argmax(axis=1)
    names = ("accuracy", "macro_f1", "top_k_accuracy", "confusion_matrix")
    suite = evaluate.combine([load(name) for name in names])
    assert suite.compute(predictions=SCORES_NK, references=TRUTH_N) == {
        "accuracy": accuracy(TRUTH_N, answers_N),
        "macro_f1": macro_f1(TRUTH_N, answers_N),
        "top_5_accuracy": top_k_accuracy(TRUTH_N, SCORES_NK),
        "confusion_matrix": confusion_matrix(TRUTH_N, answers_N, 6).tolist(),
    }


def test_every_headline_figure_is_offered():
    suite = evaluate.combine([load(name) for name in COMPUTES])
    assert set(METRICS) <= set(suite.compute(predictions=SCORES_NK, references=TRUTH_N))


def test_options_are_given_to_load():
    both = evaluate.combine([load("top_k_accuracy", k=2), load("top_k_accuracy", k=3)])
    found = both.compute(predictions=SCORES_NK, references=TRUTH_N)
    assert found["top_2_accuracy"] == top_k_accuracy(TRUTH_N, SCORES_NK, 2)
    assert found["top_3_accuracy"] == top_k_accuracy(TRUTH_N, SCORES_NK, 3)
    wide = load("per_class", classes=9).compute(predictions=[0, 1], references=[0, 1])
    assert wide["support"] == [1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_tensors_and_single_pictures_are_taken():
    metric = load("accuracy")
    metric.add(prediction=1, reference=1)
    metric.add(prediction=0, reference=1)
    assert metric.compute() == {"accuracy": 0.5}
    tensors = {"predictions": torch.tensor([1, 0]), "references": torch.tensor([1, 1])}
    assert load("accuracy").compute(**tensors) == {"accuracy": 0.5}


def test_what_shares_a_key_is_told_apart_by_the_metrics_name():
    twice = evaluate.combine([load("accuracy"), load("accuracy")])
    found = twice.compute(predictions=[1, 0], references=[1, 1])
    assert found == {"accuracy_0_accuracy": 0.5, "accuracy_1_accuracy": 0.5}


def test_a_wrong_name_or_option_is_refused_at_once():
    with pytest.raises(ValueError, match="no metric is called 'f1'; there are accuracy"):
        load("f1")
    with pytest.raises(TypeError, match="k"):
        load("accuracy", k=3)


def test_top_k_needs_scores():
    with pytest.raises(ValueError, match="expected format"):
        load("top_k_accuracy").compute(predictions=[1, 2], references=[1, 2])


def test_combine_works_without_network_and_without_a_cache(tmp_path):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.667"
    written = [path for path in (tmp_path / "empty").rglob("*") if path.is_file()]
    assert written == []


def test_probabilities_and_logits_give_the_same_figures():
    from hf_resnet.metrics import softmax

    for name in ("log_loss", "ece", "auroc"):
        by_logits = load(name).compute(predictions=SCORES_NK, references=TRUTH_N)
        by_shares = load(name).compute(predictions=softmax(SCORES_NK), references=TRUTH_N)
        assert by_logits == pytest.approx(by_shares)


def test_log_loss_of_probabilities_is_that_of_scikit_learn_even_where_one_is_0():
    from sklearn.metrics import log_loss as theirs

    truth, shares = [0, 1, 1], [[1.0, 0.0], [0.3, 0.7], [1.0, 0.0]]
    ours = load("log_loss").compute(predictions=shares, references=truth)["log_loss"]
    assert ours == pytest.approx(theirs(truth, shares), rel=1e-6)


def test_the_image_classification_evaluator_takes_them(family_folders):
    import datasets
    import transformers

    from tests.conftest import NAMES, photo

    folder = family_folders("transformers-resnet")
    model = transformers.AutoModelForImageClassification.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pictures = [photo(seed) for seed in range(4)]
    data = datasets.Dataset.from_dict(
        {"image": pictures, "label": [0, 1, 2, 0]},
        features=datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(NAMES))}
        ),
    )
    found = evaluate.evaluator("image-classification").compute(
        model_or_pipeline=model,
        feature_extractor=processor,
        data=data,
        metric=evaluate.combine([load("accuracy"), load("balanced_accuracy"), load("macro_f1")]),
        label_mapping=model.config.label2id,
    )
    assert {"accuracy", "balanced_accuracy", "macro_f1"} <= set(found)
