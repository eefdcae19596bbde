"""What is fitted on validation pictures: a temperature in the weights, and thresholds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import minimize_scalar

from hf_resnet.classifier import open_classifier
from hf_resnet.errors import ConfigError
from hf_resnet.evaluation.temperature import calibrated, fitted_temperature, folded
from hf_resnet.evaluation.thresholds import abstain_at, abstain_measured, sets_at, sets_measured
from hf_resnet.metrics import calibration_error, log_loss, softmax
from tests.conftest import FAMILIES, OURS_ALONE, photo


def drawn(pictures, sureness=1.0, classes=4, seed=0):
    """Truth drawn from the probabilities, and logits that are surer of them than they should be."""
    rng = np.random.default_rng(seed)
    logits_NK = rng.normal(0, 2, (pictures, classes))
    odds_NK = softmax(logits_NK).cumsum(axis=1)
    truth_N = (odds_NK > rng.random((pictures, 1))).argmax(axis=1)
    return truth_N, (sureness * logits_NK).astype(np.float32)


@given(st.integers(0, 1000), st.floats(0.3, 4))
@settings(max_examples=20)
def test_the_temperature_is_the_one_with_the_least_log_loss(seed, sureness):
    truth_N, logits_NK = drawn(200, sureness, seed=seed)
    found = fitted_temperature(truth_N, logits_NK)
    best = minimize_scalar(
        lambda t: log_loss(truth_N, logits_NK.astype(np.float64) / t), bounds=(0.05, 20)
    )
    assert found == pytest.approx(best.x, rel=1e-3)


def test_the_temperature_finds_how_much_too_sure_a_model_is():
    assert fitted_temperature(*drawn(20_000, sureness=3.0)) == pytest.approx(3.0, rel=0.05)


def test_a_model_that_is_always_right_has_a_temperature_all_the_same():
    truth_N = np.array([0, 1, 2])
    assert 0 < fitted_temperature(truth_N, 5 * np.eye(3, dtype=np.float32)) < 1


@pytest.mark.parametrize("family", [each for each in FAMILIES if each not in OURS_ALONE])
def test_a_folded_temperature_reaches_those_who_open_the_folder_without_us(
    family, family_folders, tmp_path
):
    """The probabilities of plain transformers are those of the logits divided by the temperature."""
    import transformers

    classifier = open_classifier(str(family_folders(family)))
    pixels_BCHW = torch.from_numpy(np.stack([classifier.preprocess(photo(at)) for at in range(3)]))
    with torch.no_grad():
        expected_BK = (classifier.network(pixels_BCHW) / 2.5).softmax(1)
    folded(classifier, 2.5).save(tmp_path / "model")
    model = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        found_BK = model(pixels_BCHW).logits.softmax(1)
    torch.testing.assert_close(found_BK, expected_BK, atol=1e-5, rtol=1e-4)


def test_pipeline_gives_the_calibrated_probabilities(family_folders, tmp_path):
    import transformers

    folder = family_folders("transformers-vit")
    classifier = folded(open_classifier(str(folder)), 0.2)
    classifier.save(tmp_path / "model")
    pipe = transformers.pipeline("image-classification", str(tmp_path / "model"), top_k=5)
    picture = photo(3, size=(32, 32))
    theirs = {each["label"]: each["score"] for each in pipe(picture)}
    for ours in classifier(picture):
        assert theirs[ours.label] == pytest.approx(ours.probability, abs=1e-3)


def test_calibrating_makes_a_model_that_is_too_sure_honest(family_folders):
    truth_N, logits_NK = drawn(500, sureness=3.0, classes=5)
    classifier = open_classifier(str(family_folders("scratch")))
    new, record = calibrated(classifier, truth_N, logits_NK, "validation")
    assert record.ece_after < record.ece_before / 3
    assert record.log_loss_after < record.log_loss_before
    assert (record.n, record.split) == (500, "validation")
    scale = classifier.network.weight_KD / new.network.weight_KD
    torch.testing.assert_close(scale, torch.full_like(scale, record.temperature))
    before = calibration_error(truth_N, softmax(logits_NK))
    assert record.ece_before == pytest.approx(before)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [(19, "at least 20 validation pictures, got 19"), (300, "would not help: on 300 validation")],
)
def test_what_would_not_help_is_refused(family_folders, pictures, message):
    truth_N, logits_NK = drawn(pictures, classes=5, seed=3)
    logits_NK = logits_NK / (fitted_temperature(truth_N, logits_NK) if pictures > 20 else 1)
    classifier = open_classifier(str(family_folders("scratch")))
    with pytest.raises(ConfigError, match=message):
        calibrated(classifier, truth_N, logits_NK, "validation")


def test_the_precision_asked_for_is_met_on_pictures_to_come():
    """On average over many validation sets, as conformal risk control promises."""
    truth_N, logits_NK = drawn(50_000, seed=99)
    precision, coverage = [], []
    for seed in range(40):
        found = abstain_at(*drawn(400, seed=seed), 0.9, "validation")
        tested = abstain_measured(found, truth_N, logits_NK)
        precision.append(tested.measured_precision.value)
        coverage.append(tested.measured_coverage.value)
    assert np.mean(precision) >= 0.893
    assert np.mean(coverage) > 0.25


def test_answers_that_are_equally_sure_stand_or_fall_together():
    logits_NK = np.array([[9.0, 0]] * 30 + [[1.0, 0]] * 4)
    truth_N = np.array([0] * 30 + [0, 0, 1, 1])
    found = abstain_at(truth_N, logits_NK, 0.94, "validation")
    sure, unsure = softmax(logits_NK)[[0, 30], 0]
    assert unsure < found.below < sure
    assert found.coverage == pytest.approx(30 / 34)


def test_a_model_that_is_good_enough_need_not_abstain():
    logits_NK = np.array([[3.0, 0]] * 60)
    found = abstain_at(np.zeros(60, np.int64), logits_NK, 0.9, "validation")
    assert (found.below, found.coverage) == (None, 1.0)


def test_a_precision_that_cannot_be_told_is_refused():
    with pytest.raises(ConfigError, match=r"--abstain_precision 0.95 is not reached.*19 sure and"):
        abstain_at(np.zeros(18, np.int64), np.array([[9.0, 0]] * 18), 0.95, "validation")
    assert abstain_at(np.zeros(19, np.int64), np.array([[9.0, 0]] * 19), 0.95, "validation")


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_sets_hold_the_right_class_as_often_as_asked_for(level):
    truth_N, logits_NK = drawn(20_000, seed=99)
    found = [sets_at(*drawn(60, seed=seed), level, "validation") for seed in range(150)]
    tested = [sets_measured(each, truth_N, logits_NK) for each in found]
    coverage = np.mean([each.measured_coverage.value for each in tested])
    assert level - 0.01 < coverage < level + 2.5 / 61
    assert all(1 <= each.mean_size + each.empty <= 4 for each in tested)


def test_too_few_pictures_for_a_level_are_told():
    with pytest.raises(
        ConfigError, match=r"--conformal 0.95 needs at least 19 validation pictures"
    ):
        sets_at(*drawn(18), 0.95, "validation")
    assert sets_at(*drawn(19), 0.95, "validation").n == 19


def test_a_picture_may_have_no_class_named():
    found = sets_at(*drawn(400, seed=1), 0.5, "validation")
    tested = sets_measured(found, np.zeros(2, np.int64), np.zeros((2, 4)))
    assert (tested.empty, tested.mean_size) == (1.0, 0.0)


def test_png_is_seen(tmp_path):
    """The plot of how sure and how right, with a step that has a single picture."""
    import io

    from hf_resnet.evaluation.figure import Figure
    from hf_resnet.evaluation.figure_plots import calibration_plot
    from hf_resnet.evaluation.measured import Measured, Outcome
    from hf_resnet.metrics import reliability

    truth_N, logits_NK = drawn(40)
    outcomes = tuple(Outcome(str(i), str(i), "a", "b", 0.5) for i in range(40))
    measured = Measured(
        split="validation",
        names=("a", "b"),
        figures={"ece": Figure("Calibration error", 1.0, 0.0, 1.0, 40)},
        classes=(),
        confused=(),
        bad=(),
        outcomes=outcomes,
        notes=(),
        matrix_KK=np.zeros((2, 2), np.int64),
        steps=tuple(reliability(truth_N, softmax(logits_NK))),
    )
    picture = Image.open(io.BytesIO(calibration_plot(measured))).convert("RGB")
    assert min(picture.size) > 400
    assert len(picture.getcolors(1 << 24)) > 20
    margin = picture.crop((picture.width - 4, 0, picture.width, picture.height))
    assert margin.getcolors() == [(4 * picture.height, (255, 255, 255))]  # no words cut off
