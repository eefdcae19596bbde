"""Feature maps: what a hook sees, in the shapes that hf-resnet layers prints."""

import numpy as np
import pytest
import torch

from hf_resnet.anatomy import anatomy_of
from hf_resnet.classifier import open_classifier
from hf_resnet.errors import ConfigError
from hf_resnet.explain import features
from hf_resnet.explain.maps import tiled
from tests.conftest import FAMILIES, photo


def hooked(classifier, layer):
    """What the layer gives for the picture, caught by a hook."""
    kept = []
    module = classifier.network.model.get_submodule(layer)
    hook = module.register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    with torch.no_grad():
        classifier.network(torch.from_numpy(classifier.preprocess(photo(4)))[None])
    hook.remove()
    return kept[-1][0].numpy()


@pytest.mark.parametrize(
    ("family", "layer"),
    [
        ("timm-resnet", "conv1.0"),
        ("timm-resnet", "layer2"),
        ("transformers-resnet", "resnet.encoder.stages.2"),
        ("timm-mobilenet", "blocks.3.0.bn2"),
        ("scratch", "stages.1"),
    ],
)
def test_maps_equal_what_a_hook_sees_and_have_the_printed_shape(family, layer, family_folders):
    classifier = open_classifier(str(family_folders(family)))
    (found,) = features.explain(classifier, photo(4), layers=[layer]).layers
    assert np.allclose(found.maps_CHW, hooked(classifier, layer), atol=1e-5)
    printed = anatomy_of(classifier.network, classifier.preprocess.size).outputs[layer]
    assert found.maps_CHW.shape == printed[1:]


def test_tokens_become_maps_without_the_class_token(family_folders):
    classifier = open_classifier(str(family_folders("timm-vit")))
    (found,) = features.explain(classifier, photo(4), layers=["blocks.0"]).layers
    tokens_TD = hooked(classifier, "blocks.0")
    assert tokens_TD.shape == (197, 24)
    assert found.maps_CHW.shape == (24, 14, 14)
    assert np.allclose(found.maps_CHW[5, 2, 3], tokens_TD[1 + 2 * 14 + 3, 5], atol=1e-5)


def test_the_default_layers_go_from_fine_to_coarse(family_folders):
    classifier = open_classifier(str(family_folders("timm-resnet")))
    found = features.explain(classifier, photo(4))
    sides = [each.maps_CHW.shape[1] for each in found.layers]
    assert sides == sorted(sides, reverse=True)
    assert [each.layer for each in found.layers][-2:] == ["layer3", "layer4"]


@pytest.mark.parametrize(
    ("family", "layers"),
    [
        ("transformers-resnet", [f"resnet.encoder.stages.{number}" for number in range(4)]),
        ("transformers-vit", [f"vit.layers.{number}" for number in range(2)]),
        ("timm-vit", ["blocks.0"]),
    ],
)
def test_what_is_shown_by_default_is_the_first_layer_and_the_end_of_every_stage(
    family, layers, family_folders
):
    classifier = open_classifier(str(family_folders(family)))
    found = [each.layer for each in features.explain(classifier, photo(4)).layers]
    assert found[1:] == layers


@pytest.mark.parametrize("family", FAMILIES)
def test_every_default_layer_is_one_that_can_be_named(family, family_folders):
    classifier = open_classifier(str(family_folders(family)))
    names = [each.layer for each in features.explain(classifier, photo(4)).layers]
    assert 1 < len(names) <= 5
    again = features.explain(classifier, photo(4), layers=names)
    assert [each.layer for each in again.layers] == names


def test_the_strongest_maps_are_those_that_vary_most_in_their_own_order():
    maps_CHW = np.zeros((4, 3, 3))
    maps_CHW[1, 0, 0], maps_CHW[2, 0, 0], maps_CHW[3, 0, 0] = 3, 1, 2
    assert features.strongest(maps_CHW, 2)[:, 0, 0].tolist() == [3, 2]


def test_a_grid_has_a_tile_for_every_map():
    grid = np.array(tiled(np.random.default_rng(0).normal(size=(5, 4, 4)), 100))
    assert grid.shape[:2] == (2 * 31 + 3, 3 * 31 + 2 * 3)
    assert (grid[-31:, -31:] == 255).all()  # the sixth place is empty
    assert not (grid[-31:, 34:65] == 255).all()


def test_a_layer_without_maps_is_one_clear_line(family_folders):
    classifier = open_classifier(str(family_folders("timm-vit")))
    with pytest.raises(ConfigError, match="'head' gives 5 numbers and no maps"):
        features.explain(classifier, photo(1), layers=["head"])
