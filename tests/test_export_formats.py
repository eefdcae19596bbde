"""Every format of every family's network answers as the network does, and carries nothing else along."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx as onnx_library
import pytest
import torch

from hf_resnet.classifier import _is_ours, open_classifier
from hf_resnet.cli import main
from hf_resnet.engine.exported import FORMATS, read_record, sound_record
from hf_resnet.errors import ConfigError
from hf_resnet.export import WRITERS, make, onnx, publish
from hf_resnet.hub.contents import is_pushed
from tests.conftest import FAMILIES, files_of_at_most

FP32 = [name for name, kind in FORMATS.items() if not kind.int8]
INT8 = [name for name, kind in FORMATS.items() if kind.int8]
QUICK = ("transformers-resnet", "transformers-vit", "scratch")


def lively(folder):
    """The classifier with norms that know what they see and a head that tells pictures apart, as
    after training; a random one answers everything alike."""
    classifier = open_classifier(str(folder))
    if "vit" not in folder.name:  # whose pictures have one size
        small = classifier.preprocess.with_changes(image_size=64)
        classifier = replace(classifier, preprocess=small)
    network = classifier.network
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    torch.manual_seed(1)
    with torch.no_grad():
        network.train()(torch.from_numpy(noise(classifier, 4, seed=1)))
        network.head.weight.copy_(torch.randn(network.head.weight.shape))
    network.eval()
    return classifier


def noise(classifier, count, seed=0):
    shape = (count, 3, *classifier.preprocess.size)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def exported(family_folders, tmp_path_factory):
    """make(), for a family and a format; what is the same for several formats is made once."""
    models, plain = {}, {}
    really = onnx.write

    def write(material, path):
        if (key := id(material.network)) not in plain:
            plain[key] = tmp_path_factory.mktemp("onnx") / "model.onnx"
            really(material, plain[key])
        shutil.copyfile(plain[key], path)

    def made(family, name):
        if family not in models:
            models[family] = lively(family_folders(family))
        classifier, folder = models[family], family_folders(family)
        place = tmp_path_factory.mktemp("export")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(onnx, "write", write)
            patch.setitem(WRITERS, "onnx", write)
            calibration = lambda: iter([noise(classifier, 4, seed=1)])  # noqa: E731
            return classifier, make(classifier, folder, name, calibration, place)

    return made


def logits_of(classifier, pixels_BCHW):
    with torch.inference_mode():
        return classifier.network(torch.from_numpy(pixels_BCHW)).float().numpy()


def error_of(classifier, made, pixels_BCHW):
    wanted_BK = logits_of(classifier, pixels_BCHW)
    assert np.isfinite(wanted_BK).all()
    assert np.abs(wanted_BK).max() > 1e-3  # it says something
    return np.abs(made.logits(pixels_BCHW) - wanted_BK).max() / np.abs(wanted_BK).max()


@pytest.mark.parametrize("name", FP32)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_export_answers_as_the_network_does_whatever_the_batch(exported, family, name):
    classifier, made = exported(family, name)
    for count in (1, 3):
        assert error_of(classifier, made, noise(classifier, count)) < 1e-4


@pytest.mark.parametrize("name", INT8)
@pytest.mark.parametrize(
    "family",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in FAMILIES],
)
def test_an_int8_export_answers_nearly_as_the_network_does(exported, family, name):
    classifier, made = exported(family, name)
    pixels_BCHW = noise(classifier, 4, seed=1)
    wanted_BK = logits_of(classifier, pixels_BCHW)
    away = np.linalg.norm(made.logits(pixels_BCHW) - wanted_BK) / np.linalg.norm(wanted_BK)
    assert away < 0.6  # that of an unrelated answer is 1.4


def test_int8_has_unsigned_activations_and_signed_weights(exported):
    """U8S8: with signed activations ONNX Runtime takes two to three times as long."""
    _, made = exported("transformers-resnet", "onnx-int8")
    graph = onnx_library.load(made.place / FORMATS["onnx-int8"].files[0]).graph
    stored = {each.name: each.data_type for each in graph.initializer}
    of_activations = [n for n in graph.node if n.op_type == "QuantizeLinear"]
    assert len(of_activations) > 10
    assert {stored[n.input[2]] for n in of_activations} == {onnx_library.TensorProto.UINT8}
    convolutions = [n.input[1] for n in graph.node if n.op_type == "Conv"]
    made_by = {n.output[0]: n for n in graph.node}
    weights = {stored[made_by[name].input[0]] for name in convolutions}
    assert weights == {onnx_library.TensorProto.INT8}


def test_an_onnx_file_has_the_names_that_transformers_js_asks_for(exported):
    for name in ("onnx", "onnx-int8"):
        _, made = exported("transformers-resnet", name)
        graph = onnx_library.load(made.place / FORMATS[name].files[0]).graph
        assert [each.name for each in graph.input] == ["pixel_values"]
        assert [each.name for each in graph.output] == ["logits"]
        assert graph.input[0].type.tensor_type.shape.dim[0].dim_param  # the batch is free


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_of_an_export_names_a_place_on_this_machine(exported, name):
    _, made = exported("transformers-resnet", name)
    here = [str(Path(__file__).parents[1]), str(made.place), "site-packages", str(Path.home())]
    for file in FORMATS[name].files:
        path = made.place / file
        parts = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts = [archive.read(each) for each in archive.namelist()]
        for part in parts:
            assert not [place for place in here if len(place) > 5 and place.encode() in part]


def test_torch_export_holds_no_pickle(exported):
    _, made = exported("transformers-resnet", "torch-export")
    with zipfile.ZipFile(made.place / "torch-export/model.pt2") as archive:
        for each in archive.infolist():
            is_weight = "/weights/weight_" in each.filename  # plain bytes, which may begin with any
            assert not (each.filename.endswith((".pkl", ".pt")) and each.file_size), each.filename
            assert is_weight or not archive.read(each).startswith((b"\x80", b"PK")), each.filename


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_writer_and_belongs_to_the_model_folder(name):
    assert name in WRITERS
    for file in (FORMATS[name].record, *FORMATS[name].files):
        assert _is_ours(file)
        assert is_pushed(file) == (name != "torch-export")


@pytest.fixture
def folder(family_folders, tmp_path):
    return shutil.copytree(family_folders("transformers-resnet"), tmp_path / "model")


def test_the_record_holds_labels_preprocess_and_figures(exported, folder):
    classifier, made = exported("transformers-resnet", "onnx")
    publish(made, folder, {"agreement": 1.0})
    record = sound_record(folder, "onnx")
    assert record.names == classifier.labels.names
    assert record.preprocess == classifier.preprocess
    assert record.figures == {"agreement": 1.0}


def test_a_full_disk_is_one_line_and_leaves_the_earlier_export(exported, folder):
    _, made = exported("transformers-resnet", "onnx")
    publish(made, folder, {"agreement": 1.0})
    with files_of_at_most(10_000), pytest.raises(ConfigError, match="cannot be written") as caught:
        publish(made, folder, {"agreement": 0.5})
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in (folder / "onnx").iterdir()) == ["model.json", "model.onnx"]
    assert read_record(folder, "onnx").figures == {"agreement": 1.0}


def test_making_an_export_leaves_the_classifier_as_it_was(exported, family_folders):
    classifier, _ = exported("timm-resnet", "onnx")
    assert classifier.network.state_dict().keys() == (
        open_classifier(str(family_folders("timm-resnet"))).network.state_dict().keys()
    )


def test_a_model_saved_anew_in_its_place_has_no_exports_of_the_earlier_one(exported, folder):
    classifier, made = exported("transformers-resnet", "onnx")
    place = folder.with_name("saved")
    classifier.save(place)
    publish(made, place, {})
    classifier.save(place, overwrite=True)
    assert not (place / "onnx").exists()
    publish(made, place, {})
    (place / "onnx" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"onnx/notes\.txt"):
        classifier.save(place, overwrite=True)


def test_export_needs_a_model_folder(capsys, tmp_path):
    for model in ("packaged:efficientnet-lite0", str(tmp_path)):
        assert main(["export", model, "--format", "onnx"]) == 1
        said = capsys.readouterr().err
        assert "is no model folder" in said
        assert said.count("\n") == 1
