"""A model folder from a stranger opens as it says, or is one clear line: it never opens as another."""

import json
import pickle
import resource
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_resnet.backbones.hostile import refusing
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ModelError
from tests.conftest import FAMILIES, photo

SOURCES = ("transformers-vit", "timm-resnet", "scratch")


@pytest.fixture
def folder(family_folders, tmp_path):
    """A folder of a family, to do anything to."""

    def copied(family):
        return shutil.copytree(family_folders(family), tmp_path / family)

    return copied


def edit(folder, file="config.json", **changes):
    """Change keys of a JSON file; a__b is key b of the object a."""
    path = folder / file
    content = json.loads(path.read_text())
    for key, value in changes.items():
        *boxes, last = key.split("__")
        inside = content
        for box in boxes:
            inside = inside.setdefault(box, {})
        inside[last] = value
    path.write_text(json.dumps(content))
    return folder


def refused(folder, match=None, **options):
    with pytest.raises(ModelError, match=match) as caught:
        open_classifier(ModelConfig(model_name_or_path=str(folder), **options))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize("family", FAMILIES)
def test_no_value_of_any_key_of_a_config_is_met_with_a_traceback(family, folder):
    """Whatever stands there, the folder opens and answers, or is refused as a model."""
    place = folder(family)
    path = place / "config.json"
    known = json.loads(path.read_text())
    keys = [(key,) for key in known]
    keys += [(key, k) for key, value in known.items() if isinstance(value, dict) for k in value]
    values = [None, "x", -1, 0, [], {}, [1], True, 10**9, 3.7, [[]]]
    random = np.random.default_rng(0)
    for key in keys:
        value = values[random.integers(len(values))]
        content = json.loads(json.dumps(known))
        inside = content if len(key) == 1 else content[key[0]]
        inside[key[-1]] = value
        path.write_text(json.dumps(content))
        try:
            answers = open_classifier(str(place))(photo(), top_k=1)
        except ModelError as exc:
            assert "\n" not in str(exc)
        else:
            assert 0 <= answers[0].probability <= 1


@pytest.mark.parametrize("family", SOURCES)
@pytest.mark.parametrize("content", ["[]", '{"a":' * 100_000, "\0", '{"architecture": 1e400}'])
def test_a_config_that_is_no_object_is_refused(family, content, folder):
    place = folder(family)
    (place / "config.json").write_text(content)
    refused(place, r"config\.json is not JSON that can be used")
    (place / "config.json").unlink()
    (place / "config.json").mkdir()
    refused(place, r"config\.json is a folder")


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", None])
def test_a_processor_that_is_no_object_is_refused(content, folder):
    place = folder("transformers-vit")
    (place / "preprocessor_config.json").unlink()
    if content is None:
        (place / "preprocessor_config.json").mkdir()
    else:
        (place / "preprocessor_config.json").write_bytes(content)
    refused(place, r"preprocessor_config\.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pretrained_strict", False),
        ("features_only", True),
        ("checkpoint_path", "/tmp/x.pth"),  # noqa: S108
        ("pretrained_cfg_overlay", {"file": "x.pth"}),
        ("in_chans", 1),
        ("global_pool", ""),
    ],
)
def test_nothing_may_steer_how_timm_loads(key, value, folder):
    refused(edit(folder("timm-resnet"), **{f"model_args__{key}": value}), f"model_args: {key}")


@pytest.mark.parametrize("family", ["timm-resnet", "timm-vit", "transformers-vit", "scratch"])
def test_a_tensor_that_is_missing_is_told_and_never_made_up(family, folder):
    place = folder(family)
    tensors = load_file(place / "model.safetensors")
    inner = sorted(name for name in tensors if name.endswith("weight"))[1]
    tensors.pop(inner)
    save_file(tensors, place / "model.safetensors", {"format": "pt"})
    refused(place)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"num_classes": 3.7}, "num_classes is '3.7'"),
        ({"num_classes": -5}, "num_classes is '-5'"),
        ({"num_classes": "5"}, "num_classes is '5'"),
        ({"num_classes": 10**9}, "num_classes"),
        ({"num_classes": [5]}, "num_classes"),
        ({"architecture": 5}, "architecture is '5'"),
        ({"label_names": "abcde"}, "label_names"),
        ({"label_names": [["a"], {}, None, 1, 2]}, "label_names"),
        ({"label_names": {"x": "a"}}, "label_names"),
        ({"label_descriptions": [1]}, "label_descriptions"),
        ({"pretrained_cfg": []}, "pretrained_cfg"),
        ({"pretrained_cfg__input_size": [3, 10**6, 10**6]}, "at most 8,192"),
        ({"pretrained_cfg__input_size": "abc"}, "input_size"),
        ({"pretrained_cfg__crop_pct": 1e-300}, "crop_pct"),
        ({"pretrained_cfg__crop_mode": ["x"]}, "crop_mode"),
        ({"pretrained_cfg__std": [1e-320] * 3}, "std is above 0"),
        ({"pretrained_cfg__mean": [1e308] * 3}, "mean is three numbers"),
    ],
)
def test_odd_values_of_timm_are_refused_by_name(changes, match, folder):
    refused(edit(folder("timm-resnet"), **changes), match)


def test_classes_that_only_the_pretrained_cfg_counts_keep_their_trained_rows(folder):
    place = folder("timm-resnet")
    before = open_classifier(str(place)).network.weight_KD
    config = json.loads((place / "config.json").read_text())
    config["pretrained_cfg"]["num_classes"] = config.pop("num_classes")
    (place / "config.json").write_text(json.dumps(config))
    assert torch.equal(open_classifier(str(place)).network.weight_KD, before)


@pytest.mark.parametrize("random_init", [False, True])
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("scratch", {"hf_resnet_architecture__widths": [10**9, 10**9]}),
        ("scratch", {"hf_resnet_architecture__depths": [10**9, 1]}),
        ("transformers-vit", {"hidden_size": 10**7, "num_attention_heads": 1}),
        ("transformers-vit", {"num_hidden_layers": 10**9}),
        ("transformers-resnet", {"hidden_sizes": [10**7] * 4}),
        ("timm-vit", {"model_args__embed_dim": 10**7, "model_args__num_heads": 1}),
        ("timm-vit", {"model_args__depth": 10**9}),
        ("timm-vgg", {"model_args__mlp_ratio": 10**6}),
    ],
)
def test_an_absurd_network_is_refused_before_memory_is_taken(family, changes, random_init, folder):
    place = edit(folder(family), **changes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(place, "describes (a|no) network|layers", random_init=random_init)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize(
    "name", ["evil.bin", "../other.safetensors", "/etc/passwd", 5, "gone.safetensors"]
)
def test_an_index_of_shards_names_safetensors_of_its_own_folder_alone(name, folder):
    place = folder("transformers-vit")
    tensors = load_file(place / "model.safetensors")
    (place / "model.safetensors").rename(place.parent / "other.safetensors")
    (place / "evil.bin").write_bytes(pickle.dumps(print))
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(tensors, name)}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(place, r"index\.json names")


def test_weights_in_shards_open_as_those_in_one_file(folder):
    place = folder("transformers-vit")
    before = open_classifier(str(place)).fingerprint()
    tensors = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(names)}
    for shard in set(weight_map.values()):
        held = {name: tensors[name] for name in names if weight_map[name] == shard}
        save_file(held, place / shard, {"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    assert open_classifier(str(place)).fingerprint() == before


def test_a_pickle_is_an_error_of_the_model_and_a_fault_of_ours_is_none():
    with (
        pytest.raises(ModelError, match="it cannot be opened: not a pickle"),
        refusing("it cannot be opened"),
    ):
        raise pickle.UnpicklingError("not a pickle")
    with pytest.raises(NameError), refusing("it cannot be opened"):
        raise NameError


@pytest.mark.parametrize(
    "change",
    [
        {"base_model": 5},
        {"results": [1]},
        {"preprocess": [1]},
        {"classes": [{"name": "a", "origin": {}, "sources": []}]},
        {"classes": [{"name": "a", "origin": "kept", "sources": "b"}]},
        {"classes": [{"name": ["a"], "origin": "kept", "sources": []}]},
        {"classes": [{"name": "a", "origin": "kept", "sources": [], "pictures": "many"}]},
        {"classes": [{"name": "a", "origin": "kept", "sources": [], "more": 1}]},
        {"preprocess__mean": [10**20, 0, 0]},
        {"preprocess__std": [1e-320] * 3},
        {"preprocess__size": [10**6, 10**6]},
    ],
)
def test_odd_facts_are_refused(change, folder, tmp_path):
    saved = open_classifier(str(folder("scratch"))).save(tmp_path / "saved")
    refused(
        edit(saved, "hf_resnet.json", **change), r"hf_resnet\.json is not as hf_resnet writes it"
    )


@pytest.mark.parametrize("damage", ["cut", "other name", "other width", "no number", "folder"])
def test_a_damaged_mean_feature_is_refused(damage, folder, tmp_path):
    classifier = open_classifier(str(folder("scratch")))
    mean_D = torch.ones(classifier.network.width)
    parts = (classifier.network, classifier.labels, classifier.preprocess, classifier.facts, mean_D)
    path = Classifier(*parts).save(tmp_path / "saved") / "feature_mean.safetensors"
    content = {
        "other name": {"x": mean_D},
        "other width": {"mean": mean_D[1:]},
        "no number": {"mean": mean_D * float("nan")},
    }
    if damage in content:
        save_file(content[damage], path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:20])
    else:
        path.unlink()
        path.mkdir()
    refused(path.parent, r"feature_mean\.safetensors is")
