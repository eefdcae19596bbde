"""Grad-CAM: its heat lies where the thing is, and is what the formula says."""

import numpy as np
import pytest
import skimage.data
import torch
import transformers
from PIL import Image

from hf_resnet.backbones import Network
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.errors import ConfigError, LabelError
from hf_resnet.explain import gradcam, seeing
from hf_resnet.facts import Facts
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess
from tests.conftest import photo


@pytest.fixture(scope="module")
def lite0():
    return open_classifier("packaged:efficientnet-lite0")


def cat(size):
    return Image.fromarray(skimage.data.chelsea()).crop((60, 0, 360, 300)).resize(size)


@pytest.mark.parametrize("corner", [(0, 0), (140, 0), (0, 140), (140, 140)])
def test_the_peak_lies_on_the_cat_wherever_it_is_pasted(lite0, corner):
    page = Image.new("RGB", (280, 280), (128, 128, 128))
    page.paste(cat((140, 140)), corner)
    (heat,) = gradcam.explain(lite0, page, classes=["tiger cat"]).heats
    # the network sees the middle 224 of 256 pixels of these 280
    x, y = ((place + 16) * 280 / 256 for place in heat.peak)
    assert corner[0] <= x < corner[0] + 140
    assert corner[1] <= y < corner[1] + 140


def test_two_things_in_a_picture_are_told_apart(lite0):
    page = Image.new("RGB", (480, 480))
    page.paste(cat((480, 480)).crop((0, 120, 480, 360)), (0, 0))
    cup = Image.fromarray(skimage.data.coffee()).resize((480, 320)).crop((0, 40, 480, 280))
    page.paste(cup, (0, 240))
    found = gradcam.explain(lite0, page, classes=["tiger cat", "espresso"])
    upper, lower = (each.peak[1] < 112 for each in found.heats)
    assert upper
    assert not lower
    assert found.heats[1].covered < found.heats[1].before / 10


def test_the_heat_is_the_weighted_sum_of_the_maps(family_folders):
    classifier = open_classifier(str(family_folders("timm-resnet")))
    kept = {}

    def keep(module, inputs, output):
        kept["maps"] = output
        output.retain_grad()

    model = classifier.network.model
    hook = model.layer3.register_forward_hook(keep)
    pixels = torch.from_numpy(classifier.preprocess(photo(3)))[None]
    score = classifier.network(pixels)[0, 2]
    score.backward()
    hook.remove()
    maps, slope = kept["maps"].detach(), kept["maps"].grad
    by_hand = sum(slope[0, c].mean() * maps[0, c] for c in range(maps.shape[1])).relu()
    found = gradcam.explain(classifier, photo(3), layers=["layer3"], classes=["zebra"]).heats[0]
    coarse = torch.from_numpy(found.heat_HW)[None, None]
    assert found.heat_HW.shape == classifier.preprocess.size
    smooth = torch.nn.functional.interpolate(
        by_hand[None, None], found.heat_HW.shape, mode="bicubic"
    ).clamp(min=0)
    assert torch.allclose(coarse.float(), smooth / smooth.max(), atol=1e-4)


def test_several_layers_and_classes_give_a_heat_each_in_order(family_folders):
    classifier = open_classifier(str(family_folders("transformers-resnet")))
    layers = ["resnet.encoder.stages.1", "resnet.encoder.stages.3"]
    found = gradcam.explain(classifier, photo(1), layers=layers, classes=["2", "zebra"])
    assert [(each.layer, each.class_index) for each in found.heats] == [
        (layer, index) for index in (4, 2) for layer in layers
    ]
    assert all(each.heat_HW.min() >= 0 and each.heat_HW.max() <= 1 for each in found.heats)


@pytest.mark.parametrize(
    ("family", "layer"),
    [
        ("transformers-resnet", "resnet.encoder.stages.3"),
        ("timm-resnet", "layer4"),
        ("timm-vit", "blocks.0.norm1"),
        ("transformers-vit", "vit.layers.1.layernorm_before"),
        ("scratch", "tail.relu"),
    ],
)
def test_the_default_layer_is_the_last_whose_maps_decide(family, layer, family_folders):
    classifier = open_classifier(str(family_folders(family)))
    (heat,) = gradcam.explain(classifier, photo(1)).heats
    assert heat.layer == layer


def test_covering_leaves_a_picture_with_the_hottest_fifth_in_plain_colour(lite0):
    found = gradcam.explain(lite0, cat((300, 300)))
    heat = found.heats[0]
    seen = np.array(found.seen)
    hot = heat.heat_HW >= np.quantile(heat.heat_HW, 0.8)
    assert 0.19 < hot.mean() < 0.21
    seen[hot] = 127.5
    levels = torch.from_numpy(seen).permute(2, 0, 1)[None].float()
    left = seeing.probabilities(lite0, levels)[0, heat.class_index]
    assert heat.covered == pytest.approx(float(left), abs=0.02)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layers": ["layer9"]}, ConfigError, "runs no layer 'layer9'; did you mean layer"),
        ({"layers": ["fc"]}, ConfigError, "'fc' gives 5 numbers and no maps"),
        ({"classes": ["unicorn"]}, LabelError, "no class is called 'unicorn'"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options, error, message, family_folders):
    classifier = open_classifier(str(family_folders("timm-resnet")))
    with pytest.raises(error, match=message) as caught:
        gradcam.explain(classifier, photo(1), **options)
    assert "\n" not in str(caught.value)


def test_a_layer_that_no_answer_depends_on_is_one_clear_line(family_folders):
    classifier = open_classifier(str(family_folders("timm-vit")))
    with pytest.raises(ConfigError, match="no answer depends on the maps of the layer 'norm'"):
        gradcam.explain(classifier, photo(1), layers=["norm"])


@pytest.mark.parametrize(
    "family",
    ["transformers-resnet", "timm-resnet", "timm-vgg", "transformers-mobilenet", "scratch"],
)
def test_the_heat_is_that_of_captum(family, family_folders):
    from captum.attr import LayerGradCam

    classifier = open_classifier(str(family_folders(family)))
    found = gradcam.explain(classifier, photo(1), classes=[classifier.labels.names[2]])
    (heat,) = found.heats
    pixels = torch.from_numpy(classifier.preprocess(photo(1)))[None].requires_grad_(True)
    layer = classifier.network.model.get_submodule(heat.layer)
    theirs = LayerGradCam(classifier.network, layer).attribute(
        pixels, target=2, relu_attributions=True
    )
    wanted = torch.nn.functional.interpolate(theirs, heat.heat_HW.shape, mode="bicubic").clamp(
        min=0
    )
    wanted_HW = (wanted / wanted.max())[0, 0].detach().numpy()
    assert np.abs(heat.heat_HW - wanted_HW).max() < 1e-3


SQUARE = 12


def squares(count, seed):
    """Noise with a white or black square somewhere, or with none: pixels_BCHW, classes, corners."""
    random = np.random.default_rng(seed)
    pixels = random.normal(0.5, 0.12, (count, 3, 32, 32)).clip(0, 1).astype(np.float32)
    classes, corners = random.integers(0, 3, count), random.integers(0, 32 - SQUARE, (count, 2))
    for number, (top, left) in enumerate(corners):
        if classes[number] < 2:
            square = np.s_[number, :, top : top + SQUARE, left : left + SQUARE]
            pixels[square] = classes[number]
    return pixels, classes, corners


@pytest.fixture(scope="module")
def trained_vit():
    """A small ViT that has learned to tell squares(), in a few seconds."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=4,
        num_labels=3,
    )
    model = transformers.ViTForImageClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(60):
        pixels, classes, _ = squares(32, seed=step)
        logits = model((torch.from_numpy(pixels) - 0.5) / 0.5).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(classes))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    half = (0.5, 0.5, 0.5)
    preprocess = Preprocess(mode="squash", size=(32, 32), resize=(32, 32), mean=half, std=half)
    network = Network(model.eval(), source="transformers", head_name="classifier")
    return Classifier(network, Labels(("black", "white", "none")), preprocess, Facts("a ViT"))


def test_in_a_trained_vit_the_peak_mostly_lies_on_the_thing(trained_vit):
    pixels, classes, corners = squares(60, seed=1000)
    right = hits = 0
    shown = np.flatnonzero(classes < 2)[:24]
    for number in shown:
        picture = Image.fromarray(np.uint8(255 * pixels[number]).transpose(1, 2, 0))
        name = trained_vit.labels.names[classes[number]]
        found = gradcam.explain(trained_vit, picture, classes=[name])
        right += found.answers[0].label == name
        (x, y), (top, left) = found.heats[0].peak, corners[number]
        hits += top <= y < top + SQUARE and left <= x < left + SQUARE
    assert right > 20
    assert hits > 18  # by chance it would be 3 of 24
