"""hf-resnet measure --backend: an export is measured like the model it was made from."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from tests.conftest import NAMES, photo, png


@pytest.fixture(scope="module")
def made(family_folders, tmp_path_factory):
    """A model with an ONNX export, and labelled pictures with a column."""
    place = tmp_path_factory.mktemp("exported")
    os.environ["HF_RESNET_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    classifier = open_classifier(str(family_folders("scratch")))
    classifier.save(place / "model")
    lines = ["image,label,site"]
    for number in range(20):
        picture = photo(number, size=(48, 40))
        (place / f"{number}.png").write_bytes(png(picture))
        name = classifier(picture, top_k=2)[number % 2].label  # half of the answers are right
        lines.append(f'{place}/{number}.png,"{name}",{("north", "south")[number % 2]}')
    for number, name in enumerate(NAMES):  # every class has a picture
        (place / f"more{number}.png").write_bytes(png(photo(100 + number, size=(48, 40))))
        lines.append(f'{place}/more{number}.png,"{name}",north')
    (place / "test.csv").write_text("\n".join(lines) + "\n")
    assert main(["export", str(place / "model"), "--format", "onnx"]) == 0
    return place


def measured(made, output, *words):
    call = ["measure", "--model_name_or_path", made / "model", "--test_file", made / "test.csv"]
    call += ["--precision", "fp32", "--output_dir", output, *words]
    assert main([*map(str, call)]) == 0
    return json.loads((output / "metrics.json").read_text())


def test_an_export_is_measured_in_depth_and_agrees_with_the_model(made, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    for number in range(12):
        pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "noise" / f"{number}.png")
    words = ["--robustness", "--robustness_samples", "5", "--by", "site"]
    words += ["--outside", tmp_path / "noise"]
    by_onnx = measured(made, tmp_path / "onnx", "--backend", "onnx", *words)
    by_torch = measured(made, tmp_path / "torch", *words)
    for name in ("classes", "confusion", "by", "robustness"):
        assert by_onnx[name] == by_torch[name], name
    for name in ("figures", "outside"):
        assert numbers(by_onnx[name]) == pytest.approx(numbers(by_torch[name]), abs=1e-3), name
    assert {each["value"] for each in by_onnx["by"]["groups"]} == {"north", "south"}
    assert (by_onnx["outside"]["outside"], by_onnx["robustness"]["clean"]["n"]) == (12, 5)


def test_the_page_of_an_export_says_what_answered_and_explains_nothing(made, tmp_path):
    measured(made, tmp_path / "report", "--backend", "onnx")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "onnx, precision fp32" in page and "--backend onnx" in page
    assert "Grad-CAM" not in page and "fingerprint of the network" not in page


def test_what_is_fitted_is_not_fitted_to_an_export(made, capsys):
    call = ["measure", "--model_name_or_path", str(made / "model"), "--backend", "onnx"]
    assert main([*call, "--conformal", "0.8"]) == 2
    assert "leave out --backend, and export again afterwards" in capsys.readouterr().err


def numbers(found):
    if isinstance(found, dict):
        return [each for value in found.values() for each in numbers(value)]
    return [found] if isinstance(found, int | float) else []
