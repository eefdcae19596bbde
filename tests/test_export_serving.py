"""An export is used only while it is whole and of the model beside it, and answers without torch."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx as onnx_library
import pytest
from PIL import Image

from hf_resnet import precision
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, ModelConfig
from hf_resnet.engine import choice, opening
from hf_resnet.engine.exported import FORMATS
from hf_resnet.engine.opening import open_fastest
from hf_resnet.errors import ModelError
from hf_resnet.export import make, publish
from tests.conftest import photo, png

SERVED = [name for name, kind in FORMATS.items() if kind.runtime != "torch"]
MODES = {"crop": {}, "squash": {"mode": "squash"}, "letterbox": {"mode": "letterbox"}}


@pytest.fixture(scope="module")
def whole(family_folders, tmp_path_factory):
    """A model folder with every export that is served."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    classifier = open_classifier(str(family_folders("scratch")))
    classifier.save(folder)
    pixels = np.stack([classifier.preprocess(photo(seed)) for seed in range(4)])
    for name in SERVED:
        place = tmp_path_factory.mktemp("export")
        publish(make(classifier, folder, name, lambda: iter([pixels]), place), folder, {})
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


@pytest.fixture(autouse=True)
def without_graphics_card(monkeypatch):
    monkeypatch.setattr(opening, "_has_graphics_card", lambda: False)


def opened(folder, backend="auto", pictures=None, **compute):
    return open_fastest(
        ModelConfig(model_name_or_path=str(folder)),
        ComputeConfig(**compute),
        backend,
        pictures=pictures,
    )


def edited(path, **changes):
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | changes))


def refused(folder, backend="onnx"):
    """The one line that says why the export cannot be used; auto says it too, and torch answers."""
    with pytest.raises(ModelError) as caught:
        opened(folder, backend)
    line = str(caught.value)
    assert "\n" not in line
    assert f"hf-resnet export {folder} --format {backend}" in line
    for name in SERVED:
        if name != backend:
            (folder / FORMATS[name].record).unlink(missing_ok=True)
            for file in FORMATS[name].files:
                (folder / file).unlink(missing_ok=True)
    answering = opened(folder)
    assert answering.backend == "torch"
    assert [note.partition(";")[0] for note in answering.notes] == [line.partition(";")[0]]
    return line


def test_auto_takes_the_quickest_that_is_there(folder):
    for name in SERVED:
        assert opened(folder).backend == name
        shutil.rmtree(folder / FORMATS[name].record, ignore_errors=True)
        for file in (FORMATS[name].record, *FORMATS[name].files):
            (folder / file).unlink()
    answering = opened(folder)
    assert (answering.backend, answering.notes) == ("torch", ())


def test_auto_takes_what_starts_soonest_for_few_pictures_and_what_runs_fastest_for_many(folder):
    assert opened(folder, pictures=1).backend == "onnx-int8"
    assert opened(folder, pictures=choice.SOON).backend == "onnx-int8"
    assert opened(folder, pictures=choice.SOON + 1).backend == "openvino-int8"
    assert opened(folder, pictures=choice.ENDLESS).backend == "openvino-int8"


@pytest.mark.parametrize("in_bf16", [True, False])
def test_torch_in_bf16_is_taken_before_an_fp32_export_for_many_pictures(
    folder, monkeypatch, in_bf16
):
    monkeypatch.setattr(choice, "cpu_multiplies_bf16", lambda: in_bf16)
    for name in ("onnx-int8", "openvino-int8", "openvino"):
        (folder / FORMATS[name].record).unlink()
        for file in FORMATS[name].files:
            (folder / file).unlink()
    assert opened(folder, pictures=choice.LATE).backend == ("torch" if in_bf16 else "onnx")
    assert opened(folder, pictures=choice.LATE - 1).backend == "onnx"
    assert opened(folder).backend == "onnx"
    assert opened(folder, pictures=choice.LATE, precision="fp32").backend == "onnx"


def test_the_processor_is_known_without_torch_as_torch_knows_it(tmp_path):
    assert choice.cpu_multiplies_bf16() == precision._bf16_in_cpu()
    told = tmp_path / "cpuinfo"
    for flags, has in (("sse4_2 amx_tile", True), ("avx512_bf16", True), ("avx512f", False)):
        told.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} vme\n")
        assert choice.cpu_multiplies_bf16(told) == has
    assert not choice.cpu_multiplies_bf16(tmp_path / "nowhere")


def test_auto_keeps_to_the_precision_that_was_asked_for(folder):
    assert opened(folder, precision="fp32").backend == "openvino"
    (folder / "openvino/model.xml").unlink()
    assert opened(folder, precision="fp32").backend == "onnx"
    assert opened(folder, precision="bf16").backend == "torch"


def test_a_graphics_card_leaves_every_export_behind(folder, monkeypatch):
    monkeypatch.setattr(opening, "_has_graphics_card", lambda: True)
    assert opened(folder).backend == "torch"
    assert opened(folder, "onnx").backend == "onnx"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SERVED)
def test_an_export_sees_the_same_pixels_and_gives_the_same_answers(folder, name, mode):
    classifier = open_classifier(str(folder))
    changed = classifier.preprocess.with_changes(**MODES[mode])
    edited(folder / "hf_resnet.json", preprocess=changed.to_json())
    edited(
        folder / FORMATS[name].record, preprocess=changed.to_json(), source=opening_source(folder)
    )
    by_export, by_torch = (
        opened(folder, name, precision="fp32"),
        opened(folder, "torch", precision="fp32"),
    )
    assert by_export.labels == by_torch.labels
    pictures = [photo(seed, size) for seed, size in enumerate([(33, 80), (97, 41), (64, 64)])]
    pixels = [np.stack([each.preprocess(p) for p in pictures]) for each in (by_export, by_torch)]
    assert np.array_equal(*pixels)
    wanted_BK, got_BK = by_torch.logits(pixels[1]), by_export.logits(pixels[0])
    tolerance = 0.2 if FORMATS[name].int8 else 1e-5
    assert np.abs(got_BK - wanted_BK).max() < tolerance * np.abs(wanted_BK).max()


def opening_source(folder):
    from hf_resnet.engine.exported import source_of

    return source_of(folder)


@pytest.mark.parametrize("words", [[], ["--backend", "openvino"], ["--backend", "onnx-int8"]])
def test_a_prediction_from_an_export_imports_neither_torch_nor_transformers(
    folder, tmp_path, words
):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        (tmp_path / "photos" / f"{seed}.png").write_bytes(png(photo(seed)))
    arguments = ["predict", str(folder), str(tmp_path / "photos"), *words]
    code = (
        f"import sys; from hf_resnet.cli import main; assert main({arguments!r}) == 0; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    if not words:  # auto leaves exports alone where there is a graphics card, hidden or not
        arguments += ["--backend", "auto"]
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    *lines, modules = out.stdout.splitlines()
    assert lines[-1] == f"3 pictures, answered by {words[1] if words else 'onnx-int8'}"
    assert not {"torch", "transformers", "timm", "accelerate", "datasets"} & set(modules.split())


def test_other_weights_make_an_export_stale(folder):
    classifier = open_classifier(str(folder))
    with_other = classifier.with_head(
        classifier.labels,
        classifier.network.weight_KD + 1,
        classifier.network.bias_K,
        classifier.facts,
    )
    with_other.save(folder.with_name("other"))
    shutil.copy(folder.with_name("other") / "model.safetensors", folder)
    assert "is of other weights or classes than the model there now" in refused(folder)


def test_other_names_or_another_preprocess_make_an_export_stale(folder):
    for change in ("hf_resnet.json", "config.json"):
        place = shutil.copytree(folder, folder.with_name(change))
        stored = json.loads((place / change).read_text())
        if change == "hf_resnet.json":
            stored["preprocess"]["mode"] = "squash"
        else:
            stored["one_more"] = 1
        (place / change).write_text(json.dumps(stored))
        with pytest.raises(ModelError, match="of other weights or classes"):
            opened(place, "openvino")


def test_figures_in_the_facts_leave_an_export_fresh(folder):
    edited(folder / "hf_resnet.json", results={"accuracy": 0.5})
    assert opened(folder).backend == SERVED[0]


@pytest.mark.parametrize("name", SERVED)
def test_a_truncated_file_is_one_line(folder, name):
    path = folder / FORMATS[name].files[-1]
    path.write_bytes(path.read_bytes()[:-100])
    assert "is damaged or not of" in refused(folder, name)


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\x07" * 5000, b"<net/>"])
def test_a_file_that_is_no_network_is_one_line_though_its_record_vouches_for_it(
    folder, name, content
):
    vouched(folder, name, content)
    said = refused(folder, name)
    assert any(part in said for part in ("is no network that can be used", "does not t"))


def vouched(folder, name, content):
    """Put the content in place of the network, with a record that says it is the one."""
    import hashlib

    file, *others = FORMATS[name].files
    (folder / file).write_bytes(content)
    hashes = {
        each: hashlib.sha256((folder / each).read_bytes()).hexdigest() for each in (file, *others)
    }
    edited(folder / FORMATS[name].record, files=hashes)


@pytest.mark.parametrize("where", ["../../secret.bin", "/dev/zero", "link.bin"])
def test_weights_outside_of_the_folder_are_not_read(folder, where):
    tensor = onnx_library.TensorProto(name="w", data_type=1, dims=[3, 5], data_location=1)
    for key, value in (("location", where), ("offset", "0"), ("length", "60")):
        tensor.external_data.add(key=key, value=value)
    (folder.parent / "secret.bin").write_bytes(bytes(60))
    (folder / "onnx" / "link.bin").symlink_to("../../secret.bin")
    vouched(folder, "onnx", network(tensor))
    assert "is no network that can be used" in refused(folder)


def network(weight, shape=("b", 3, 32, 32), name="pixel_values"):
    """A network of one mean and one product, with this weight."""
    helper = onnx_library.helper
    nodes = [
        helper.make_node("ReduceMean", [name, "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"]),
    ]
    axes = onnx_library.numpy_helper.from_array(np.array([2, 3]), "axes")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, 1, shape)],
        [helper.make_tensor_value_info("logits", 1, None)],
        initializer=[weight, axes],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def weight(rows, columns):
    return onnx_library.numpy_helper.from_array(np.ones((rows, columns), np.float32), "w")


def test_a_network_that_does_not_fit_its_record_is_one_line(folder):
    vouched(folder, "onnx", network(weight(3, 5)))
    assert opened(folder, "onnx").logits(np.zeros((2, 3, 32, 32), np.float32)).shape == (2, 5)
    wrong = {
        "answers with float32 of shape (1, 7)": network(weight(3, 7)),
        "cannot be run": network(weight(3, 5), ("b", 3, 64, 64)),
        "does not take pixel_values alone": network(weight(3, 5), name="other"),
    }
    for said, content in wrong.items():
        vouched(folder, "onnx", content)
        assert said in refused(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"record_format": 2},
        {"format": "openvino"},
        {"names": ["a", "b"]},
        {"names": ["a"] * 5},
        {"names": [1, 2, 3, 4, 5]},
        {"names": "abcde"},
        {"files": {"../../etc/passwd": "0"}},
        {"files": []},
        {"source": 3},
        {"figures": []},
        {"preprocess": {"mode": "crop"}},
        {"preprocess": None},
    ],
)
def test_a_record_that_lies_is_one_line(folder, changes):
    edited(folder / "onnx/model.json", **changes)
    assert str(folder / "onnx") in refused(folder)


def test_a_record_of_another_size_is_one_line(folder):
    stored = json.loads((folder / "onnx/model.json").read_text())
    edited(folder / "onnx/model.json", preprocess=stored["preprocess"] | {"size": [48, 48]})
    assert "cannot be run" in refused(folder)


def test_a_record_that_is_missing_or_no_json_is_one_line(folder):
    (folder / "onnx/model.json").write_text("{")
    assert "is not JSON that can be used" in refused(folder)
    (folder / "onnx/model.json").unlink()
    assert "has no onnx export" in refused(folder)


def test_an_export_gives_no_features_that_a_head_could_be_fitted_on(folder):
    for name in SERVED:
        answering = opened(folder, name)
        assert not hasattr(answering, "features")
        assert not hasattr(answering.logits.__self__, "features")


def test_a_model_that_is_no_folder_has_no_exports():
    with pytest.raises(ModelError, match="is no model folder, and exports lie in those"):
        opened("packaged:efficientnet-lite0", "onnx")


def test_a_device_in_place_of_a_network_is_not_read_for_ever(folder):
    (folder / "onnx/model.onnx").unlink()
    (folder / "onnx/model.onnx").symlink_to("/dev/zero")
    assert "is a folder or a device" in refused(folder)


def test_a_missing_library_is_said_and_torch_answers(folder, monkeypatch):
    for name in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    answering = opened(folder)
    assert answering.backend == "torch"
    assert len(answering.notes) == len(SERVED)
    assert "pip install 'hf-resnet[export]'" in answering.notes[0]


def test_pictures_may_be_many_more_than_a_batch(folder):
    answering = opened(folder, "onnx", per_device_eval_batch_size=2)
    pixels = np.stack(
        [answering.preprocess(Image.new("RGB", (40, 40), (9 * i, 0, 0))) for i in range(5)]
    )
    one_by_one = np.concatenate([answering.probabilities(pixels[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(answering.probabilities(pixels), one_by_one, atol=1e-6)
