import json
import shutil

import pytest

from hf_resnet.cli import main

KEYS = {"format", "model", "size", "depth", "convention", "totals", "layers", "blocks"}


def test_the_table_is_printed_and_both_files_are_written(family_folders, tmp_path, capsys):
    model = str(family_folders("transformers-resnet"))
    record, drawing = tmp_path / "deep" / "layers.json", tmp_path / "blocks.PNG"
    words = ["--size", "64", "--depth", "3", "--json", str(record), "--picture", str(drawing)]
    assert main(["layers", model, *words]) == 0
    said = capsys.readouterr().out
    assert "resnet.encoder.stages" in said
    assert f"written to {record}" in said.replace("\n", "")
    assert drawing.read_bytes().startswith(b"\x89PNG")
    found = json.loads(record.read_text(encoding="utf-8"))
    assert set(found) == KEYS | {"bottleneck_saving"}
    assert (found["size"], found["depth"], found["format"]) == ([64, 64], 3, 1)
    for what in ("parameters", "trainable", "multiply_adds", "memory_bytes"):
        assert sum(layer[what] for layer in found["layers"]) == found["totals"][what]


def test_a_record_of_all_layers_has_their_windows_and_sums(family_folders, tmp_path):
    record = tmp_path / "layers.json"
    model = str(family_folders("transformers-resnet"))
    assert main(["layers", model, "--size", "224", "--json", str(record)]) == 0
    first = json.loads(record.read_text(encoding="utf-8"))["layers"][0]
    assert (first["kernel"], first["stride"], first["padding"]) == ([7, 7], [2, 2], [3, 3])
    assert first["size_sums"] == ["(224 − 7 + 2·3)/2 + 1 = 112.5 → 112"]
    assert (first["output_nchw"], first["output_nhwc"]) == ([1, 8, 112, 112], [1, 112, 112, 8])


def test_a_networks_own_size_is_the_default_and_weights_are_not_needed(
    family_folders, tmp_path, capsys
):
    copied = tmp_path / "model"
    shutil.copytree(family_folders("transformers-vit"), copied)
    (copied / "model.safetensors").unlink()
    assert main(["layers", str(copied)]) == 0
    assert "one picture of 32×32 pixels" in " ".join(capsys.readouterr().out.split())


def test_only_the_head_trains_under_method_head(family_folders, capsys):
    model = str(family_folders("timm-convolution-head"))
    assert main(["layers", model, "--method", "head", "--size", "64", "--depth", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    states = {line.split()[0]: line for line in lines if "frozen" in line or " yes " in line}
    assert "yes" in states["head"].split()
    assert "frozen" in states["stages"].split()


def test_channels_last_turns_the_shapes(family_folders, capsys):
    model = str(family_folders("transformers-resnet"))
    assert main(["layers", model, "--channels_last", "--depth", "2"]) == 0
    said = capsys.readouterr().out
    assert "H×W×C" in said
    assert "channels_last keeps the shape" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--picture", "a.jpg"], "--picture ends in .png or .svg; got a.jpg"),
        (["--json", "."], "--json . is a folder; name a file"),
        (["--depth", "0"], "--depth is at least 1, got 0"),
        (["--size", "0"], "--size is within 1 and 4096, got 0"),
        (["--size", "33"], "cannot take a picture of 33×33 pixels"),
        (["--json", "/dev/null/x"], "/dev/null/x cannot be written"),
        (["--json", "a.png", "--picture", "a.png"], "--picture and --json are both a.png"),
    ],
)
def test_what_cannot_be_is_one_clear_line(words, message, family_folders, capsys):
    model = str(family_folders("transformers-vit"))
    capsys.readouterr()  # what its library says when it is first made
    assert main(["layers", model, *words]) != 0
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
