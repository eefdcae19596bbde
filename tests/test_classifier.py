import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from hf_resnet.classifier import Classifier, check_output, new_model_folder, open_classifier
from hf_resnet.errors import ConfigError, ModelError, PictureError
from hf_resnet.facts import ClassFact, Facts
from hf_resnet.labels import Labels
from tests.conftest import files_of_at_most, photo, png


@pytest.fixture
def classifier(family_folders):
    return open_classifier(str(family_folders("transformers-resnet")))


def test_a_picture_may_be_a_path_bytes_or_an_image(classifier, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(photo()))
    answers = [classifier(given) for given in (str(path), path, path.read_bytes(), photo())]
    several = classifier([path, path])
    for answer in (*answers, *several):
        assert [each.label for each in answer] == [each.label for each in answers[0]]
        assert answer[0].probability == pytest.approx(answers[0][0].probability, abs=1e-6)


def test_answers_come_likeliest_first_and_sum_to_one(classifier):
    answer = classifier(photo(), top_k=99)
    probabilities = [each.probability for each in answer]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert len(classifier(photo(), top_k=2)) == 2


def test_what_is_no_picture_is_told(classifier):
    with pytest.raises(PictureError):
        classifier(b"nonsense")


def test_each_row_of_the_head_needs_one_name(classifier):
    with pytest.raises(ModelError, match="has 5 rows and there are 2 class names"):
        Classifier(classifier.network, Labels(("a", "b")), classifier.preprocess, Facts("x"))


def test_the_fingerprint_changes_with_the_backbone_and_not_with_the_head(classifier):
    weight_KD, bias_K = classifier.network.weight_KD, classifier.network.bias_K
    other = classifier.with_head(classifier.labels, weight_KD + 1, bias_K, classifier.facts)
    assert other.fingerprint() == classifier.fingerprint()
    with torch.no_grad():
        next(other.network.parameters()).view(-1)[0] += 1
    assert other.fingerprint() != classifier.fingerprint()


def test_facts_and_the_mean_feature_survive_saving(classifier, tmp_path):
    facts = Facts(
        base_model="microsoft/resnet-50",
        classes=tuple(ClassFact(name, "fitted", (), 7) for name in classifier.labels),
        training={"method": "head"},
        results={"n": 3},
    )
    mean_D = torch.arange(classifier.network.width, dtype=torch.float32)
    before = Classifier(classifier.network, classifier.labels, classifier.preprocess, facts, mean_D)
    after = open_classifier(str(before.save(tmp_path / "a")))
    assert after.facts == facts
    assert torch.equal(after.feature_mean_D, mean_D)


def test_nothing_pickled_is_written(classifier, tmp_path):
    folder = classifier.save(tmp_path / "a")
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {
        ".json",
        ".safetensors",
    }


def test_what_is_saved_may_be_read_by_whom_other_new_files_may(classifier, tmp_path):
    (tmp_path / "other").write_text("x")
    usual = (tmp_path / "other").stat().st_mode
    folder = classifier.save(tmp_path / "a")
    assert {path.stat().st_mode for path in folder.rglob("*") if path.is_file()} == {usual}


def test_a_folder_of_a_later_format_says_so(classifier, tmp_path):
    folder = classifier.save(tmp_path / "a")
    path = folder / "hf_resnet.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(ModelError, match="has format 99, and this version reads format 1"):
        open_classifier(str(folder))
    path.write_text("{")
    with pytest.raises(ModelError, match="is not JSON that can be used"):
        open_classifier(str(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"preprocess": None},
        {"preprocess": {"mode": "crop"}},
        {"classes": [{"name": "a"}]},
        {"classes": 7},
        {"classes": [["a"]]},
        {"training": "x"},
    ],
)
def test_facts_that_are_not_as_they_were_written_are_one_clear_line(classifier, tmp_path, change):
    folder = classifier.save(tmp_path / "a")
    path = folder / "hf_resnet.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
        ModelError, match=r"hf_resnet\.json is not as hf_resnet writes it"
    ) as caught:
        open_classifier(str(folder))
    assert "\n" not in str(caught.value)


def test_a_model_is_not_overwritten_unless_asked_for(classifier, tmp_path):
    classifier.save(tmp_path / "a")
    with pytest.raises(ConfigError, match="already holds a model"):
        classifier.save(tmp_path / "a")
    classifier.save(tmp_path / "a", overwrite=True)


def test_a_folder_of_photos_is_never_replaced_by_a_model(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="not a model of hf_resnet's"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="is a file"):
        check_output(tmp_path / "photo.jpg", overwrite=True)


def test_a_save_that_fails_leaves_the_old_model_and_nothing_else(classifier, tmp_path):
    classifier.save(tmp_path / "a")
    before = (tmp_path / "a" / "hf_resnet.json").read_bytes()
    with (
        pytest.raises(OSError, match="no space"),
        new_model_folder(tmp_path / "a", overwrite=True) as place,
    ):
        (place / "half").write_text("x")
        raise OSError("no space")
    assert (tmp_path / "a" / "hf_resnet.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_head_may_have_other_classes_but_not_another_width(classifier):
    width = classifier.network.width
    wider = classifier.network.with_head(torch.zeros(9, width), torch.zeros(9))
    assert wider.classes == 9
    assert classifier.network.classes == 5
    with pytest.raises(ModelError, match="wide"):
        classifier.network.with_head(torch.zeros(9, width + 1), torch.zeros(9))
    with pytest.raises(ModelError, match="a bias, got none"):
        classifier.network.with_head(torch.zeros(9, width), None)


def test_probabilities_tie_in_the_order_of_the_classes(classifier):
    tied = classifier.likeliest(np.full(5, 0.2), 2)
    assert [each.label for each in tied] == list(classifier.labels.names[:2])


def test_a_network_is_opened_for_use_not_for_training(classifier):
    assert not any(module.training for module in classifier.network.modules())


def test_files_that_are_not_of_the_model_are_never_replaced(classifier, tmp_path):
    folder = classifier.save(tmp_path / "a")
    (folder / "my_photos").mkdir()
    (folder / "my_photos" / "1.jpg").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="would be lost: my_photos"):
        classifier.save(folder, overwrite=True)
    assert (folder / "my_photos" / "1.jpg").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "mine",
    [
        "cat/1.jpg",
        "report/cat/1.jpg",
        "report/config.json",
        "report/report/metrics.json",
        "deep/model.safetensors",
        "model-of-my-cat.safetensors/1.jpg",
        "empty/",
        "recipe.yml",
    ],
)
def test_a_persons_file_is_kept_wherever_it_lies_in_the_model_folder(classifier, tmp_path, mine):
    folder = classifier.save(tmp_path / "a")
    (folder / mine).parent.mkdir(parents=True, exist_ok=True)
    if mine.endswith("/"):
        (folder / mine).mkdir()
    else:
        (folder / mine).write_bytes(b"precious")
    with pytest.raises(ConfigError, match="would be lost: "):
        classifier.save(folder, overwrite=True)
    with (
        pytest.raises(ConfigError, match="would be lost: "),
        new_model_folder(folder, overwrite=True),
    ):
        pass
    assert (folder / mine).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_a_link_leads_to_is_kept(classifier, tmp_path):
    folder = classifier.save(tmp_path / "a")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "metrics.json").write_bytes(b"precious")
    (folder / "report").symlink_to(tmp_path / "photos")
    with pytest.raises(ConfigError, match="would be lost: report"):
        classifier.save(folder, overwrite=True)
    (folder / "report").unlink()
    link = tmp_path / "b"
    link.symlink_to(folder)
    classifier.save(link, overwrite=True)
    assert link.is_symlink() and (tmp_path / "photos" / "metrics.json").exists()


def test_a_folder_that_was_filled_meanwhile_is_left_alone(classifier, tmp_path):
    with (
        pytest.raises(ConfigError, match="filled meanwhile"),
        new_model_folder(tmp_path / "a", overwrite=False) as place,
    ):
        classifier.write(place)
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "mine.jpg").write_bytes(b"precious")
    assert (tmp_path / "a" / "mine.jpg").read_bytes() == b"precious"


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_model_that_a_killed_run_left_without_its_name_gets_it_back(classifier, ended, tmp_path):
    folder = classifier.save(tmp_path / "a")
    folder.rename(tmp_path / f".a.old-{ended}")
    check_output(folder, overwrite=True)
    assert open_classifier(str(folder)).labels == classifier.labels


def test_the_next_save_sweeps_what_killed_ones_left_and_nothing_else(classifier, ended, tmp_path):
    classifier.save(tmp_path / "a")
    left = [tmp_path / f".a.{kind}-{ended}" for kind in ("new", "old")]
    others = [
        tmp_path / f".a.new-{os.getppid()}",
        tmp_path / f".b.new-{ended}",
        tmp_path / ".a.new-mine",
    ]
    for folder in (*left, *others):
        (folder / "report").mkdir(parents=True)
        (folder / "report" / "x").write_text("x")
    classifier.save(tmp_path / "a", overwrite=True)
    assert not any(folder.exists() for folder in left)
    assert all((folder / "report" / "x").exists() for folder in others)


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet", "scratch"])
def test_a_full_disk_is_one_line_with_the_room_needed_and_leaves_nothing(
    family, family_folders, tmp_path
):
    classifier = open_classifier(str(family_folders(family)))
    with files_of_at_most(20_000), pytest.raises(ConfigError) as caught:
        classifier.save(tmp_path / "a")
    assert "MB are needed" in str(caught.value) and "--output_dir" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_none_among_the_facts_is_null_and_the_model_opens(classifier, tmp_path):
    facts = classifier.facts.with_(training={"loss": float("nan"), "rate": 0.1})
    saved = dataclasses.replace(classifier, facts=facts).save(tmp_path / "a")
    assert open_classifier(str(saved)).facts.training == {"loss": None, "rate": 0.1}


def test_the_fingerprint_tells_networks_apart_that_use_equal_weights_differently(family_folders):
    one = open_classifier(str(family_folders("transformers-vit")))
    other = open_classifier(str(family_folders("transformers-vit")))
    assert one.fingerprint() == other.fingerprint()
    other.network.model.config.num_attention_heads = 4
    assert one.fingerprint() != other.fingerprint()
