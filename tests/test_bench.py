"""The comparisons run from end to end, and what they print is what they measured."""

import json
import re

import pytest

from hf_resnet.cli import main

SMALL = ("--model_name_or_path", "scratch:resnet20-cifar", "--dataset_name", "sample:digits")
SMALL += ("--image_size", "32", "--max_train_samples", "40", "--max_eval_samples", "20")
SMALL += ("--rounds", "1", "--num_train_epochs", "1")


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["head", "network"])
def test_both_sides_are_run_and_their_ratios_written(subject, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    words = ["benchmark", "--subject", subject, "--output_dir", str(tmp_path / "out"), *SMALL]
    assert main(words) == 0
    found = json.loads((tmp_path / "out" / "benchmark.json").read_text())[subject]
    plain, ours = (found["rounds"][side][0] for side in ("plain", "ours"))
    assert found["times_faster"] == pytest.approx(plain["seconds"] / ours["seconds"])
    assert found["times_the_pace"] == pytest.approx(
        ours["pictures_a_second"] / plain["pictures_a_second"]
    )
    assert all(each["peak_megabytes"] > 100 for each in (plain, ours))
    assert f"done {found['times_faster']:.1f} times sooner" in capsys.readouterr().out


def test_the_device_is_held_against_its_own_peak(tmp_path, capsys):
    words = ["--per_device_train_batch_size", "8", "--output_dir", str(tmp_path)]
    assert main(["benchmark", "--subject", "device", *SMALL[:2], *words]) == 0
    found = json.loads((tmp_path / "benchmark.json").read_text())["device"]
    assert 0 < found["share_of_peak"] < 1
    # 8 pictures of 41 million multiply-adds, forwards and backwards
    per_picture = found["tera_operations"] / found["pictures_a_second"] * 1e12
    assert per_picture == pytest.approx(6 * 41e6, rel=0.05)
    assert re.search(r"[\d.]+ pictures a second, \d+ % of the", capsys.readouterr().out)
