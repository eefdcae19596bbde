import dataclasses
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hf_resnet.errors import ModelError
from hf_resnet.resnet import (
    ARCHITECTURES,
    Architecture,
    BlockV1,
    BlockV2,
    ResNet,
    load_weights,
    named,
)

SMALL = Architecture(block="basic", depths=(2, 1), widths=(4, 6))
CLASSES = 7

architectures = st.builds(
    lambda sizes, **options: Architecture(
        depths=tuple(depth for depth, _ in sizes), widths=tuple(w for _, w in sizes), **options
    ),
    # widths that grow, as padding cannot take channels away
    sizes=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 6)), min_size=1, max_size=3).map(
        lambda sizes: sorted(sizes, key=lambda size: size[1])
    ),
    block=st.sampled_from(["basic", "bottleneck"]),
    version=st.sampled_from([1, 2]),
    shortcut=st.sampled_from(["projection", "padding", "none"]),
    stem=st.sampled_from(["224", "32"]),
    dropout=st.sampled_from([0.0, 0.5]),
)


def lived_in(model: nn.Module) -> nn.Module:
    """The network as if it had been trained: no norm at rest, so that none can stand for another."""
    torch.manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.4, 0.8)
                module.bias.normal_(0, 0.2)
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.05)
    return model.eval()


def on_meta(name: str, classes: int = 1000) -> ResNet:
    with torch.device("meta"):
        return ResNet(named(name), classes)


def parameters(model: nn.Module) -> int:
    return sum(tensor.numel() for tensor in model.parameters())


def from_transformers(layers: int) -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    basic = layers < 50
    config = ResNetConfig(
        layer_type="basic" if basic else "bottleneck",
        hidden_sizes=[64, 128, 256, 512] if basic else [256, 512, 1024, 2048],
        depths=[2, 2, 2, 2] if layers == 18 else [3, 4, 6, 3],
        num_labels=CLASSES,
    )
    return ResNetForImageClassification(config)


def from_timm(layers: int) -> nn.Module:
    import timm

    return timm.create_model(f"resnet{layers}", num_classes=CLASSES)


def from_timm_v2(layers: int) -> nn.Module:
    import timm

    return timm.create_model(f"resnetv2_{layers}", num_classes=CLASSES)


def from_torchvision(layers: int) -> nn.Module:
    import torchvision

    return getattr(torchvision.models, f"resnet{layers}")(num_classes=CLASSES)


@pytest.mark.parametrize("layers", [18, 34, 50])
@pytest.mark.parametrize(
    ("source", "suffix"),
    [(from_transformers, ""), (from_timm, ""), (from_torchvision, ""), (from_timm_v2, "-v2")],
)
def test_the_weights_of_another_library_give_that_librarys_logits(source, suffix, layers):
    theirs = lived_in(source(layers))
    ours = ResNet(named(f"resnet{layers}{suffix}"), CLASSES).eval()
    load_weights(ours, theirs.state_dict())
    pixels_BCHW = torch.randn(2, 3, 65, 80)  # odd sides show a wrong padding
    with torch.inference_mode():
        expected = theirs(pixels_BCHW)
        expected_BK = expected if isinstance(expected, torch.Tensor) else expected.logits
        logits_BK = ours(pixels_BCHW)
    assert expected_BK.std() > 0.1
    assert (logits_BK - expected_BK).abs().max() <= 1e-4


@pytest.mark.parametrize("source", [from_timm, from_torchvision, from_transformers])
def test_in_training_too_it_computes_what_the_source_computes(source):
    theirs = lived_in(source(18)).train()
    ours = ResNet(named("resnet18"), CLASSES).train()
    load_weights(ours, theirs.state_dict())
    pixels_BCHW = torch.randn(4, 3, 64, 64)
    for model in (theirs, ours):
        output = model(pixels_BCHW)
        logits_BK = output if isinstance(output, torch.Tensor) else output.logits
        logits_BK.square().mean().backward()
    stem = next(theirs.parameters())
    torch.testing.assert_close(ours.stem.conv.weight.grad, stem.grad, rtol=1e-3, atol=1e-5)


def test_weights_go_from_one_of_ours_to_another():
    one, other = lived_in(ResNet(SMALL, 3)), ResNet(SMALL, 3).eval()
    load_weights(other, one.state_dict())
    pixels_BCHW = torch.randn(1, 3, 32, 32)
    assert torch.equal(one(pixels_BCHW), other(pixels_BCHW))


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda tensors: tensors.pop("fc.bias"), "head.bias"),
        (lambda tensors: tensors.pop("layer2.0.downsample.1.running_var"), r"shortcut.norm.run"),
        (lambda tensors: tensors.update({"layer1.0.se.weight": torch.ones(1)}), r"se\.weight"),
        (lambda tensors: tensors.update({"conv1.weight": torch.ones(64, 3, 3, 3)}), r"stem\.conv"),
    ],
)
def test_weights_that_do_not_fit_exactly_are_refused(spoil, wrong):
    tensors = from_timm(18).state_dict()
    spoil(tensors)
    model = ResNet(named("resnet18"), CLASSES)
    before = model.stem.conv.weight.clone()
    with pytest.raises(ModelError, match=rf"not of this ResNet.*{wrong}") as caught:
        load_weights(model, tensors)
    assert "\n" not in str(caught.value)
    assert torch.equal(model.stem.conv.weight, before)


@pytest.mark.parametrize(
    ("source", "name"),
    [("resnet34", "resnet18"), ("resnet18", "resnet18-v2"), ("resnetv2_18d", "resnet18-v2")],
)
def test_weights_of_another_architecture_are_refused(source, name):
    import timm

    with torch.device("meta"):
        tensors = timm.create_model(source).state_dict()
    with pytest.raises(ModelError, match="not of this ResNet"):
        load_weights(on_meta(name), tensors)


def test_counters_that_old_files_lack_are_not_missed():
    tensors = from_torchvision(18).state_dict()
    old = {name: t for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
    load_weights(ResNet(named("resnet18"), CLASSES), old)


@pytest.mark.parametrize(
    ("name", "classes", "known"),
    [  # published, and equal in torchvision and timm
        ("resnet18", 1000, 11_689_512),
        ("resnet34", 1000, 21_797_672),
        ("resnet50", 1000, 25_557_032),
        ("resnet101", 1000, 44_549_160),
        ("resnet152", 1000, 60_192_808),
        ("resnet18-v2", 1000, 11_687_720),
        ("resnet34-v2", 1000, 21_795_880),
        ("resnet50-v2", 1000, 25_549_352),
        ("resnet20-cifar", 10, 269_722),
        ("resnet110-cifar", 10, 1_727_962),
    ],
)
def test_the_parameters_are_as_many_as_is_known(name, classes, known):
    assert parameters(on_meta(name, classes)) == known


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_name_says_how_many_layers_there_are(name):
    architecture = named(name)
    assert (
        str(architecture.layers) == name.removeprefix("resnet").removeprefix("plain").split("-")[0]
    )
    assert (architecture.shortcut == "none") == name.startswith("plain")
    assert (architecture.version == 2) == name.endswith("-v2")
    assert (architecture.stem == "32") == ("32px" in name or "cifar" in name)


def test_a_plain_cifar_net_has_the_very_parameters_of_its_residual_twin():
    assert parameters(on_meta("plain32-cifar")) == parameters(on_meta("resnet32-cifar"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5O", r"no ResNet here is called 'resnet5O'; did you mean resnet50"),
        ("resnet18-v2-32px", r"did you mean resnet18-32px.*then -32px and -v2"),
        ("resnet21-cifar", r"6n \+ 2 layers \(8, 14, 20 up to 110\) and -cifar"),
        ("ResNet50", "did you mean resnet50"),
        ("vgg", "a name is resnet or plain with 18, 34, 50, 101 or 152 layers"),
        ("", "a name is resnet or plain"),
    ],
)
def test_an_unknown_name_is_one_clear_line_with_the_nearest_names(name, message):
    with pytest.raises(ModelError, match=message) as caught:
        named(name)
    assert "\n" not in str(caught.value)


def sizes(model: ResNet, side: int) -> list[tuple[int, ...]]:
    found = []
    for part in (model.stem, *model.stages, model.tail):
        part.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:])))
    model.eval()(torch.zeros(1, 3, side, side))
    return found


def test_the_large_stem_quarters_the_picture_and_each_later_stage_halves_it():
    thin = dataclasses.replace(named("resnet50"), widths=(1, 2, 3, 4))
    assert sizes(ResNet(thin, 2), 224) == [
        (1, 56, 56),
        (4, 56, 56),
        (8, 28, 28),
        (12, 14, 14),
        (16, 7, 7),
        (16,),
    ]


def test_the_small_stem_keeps_the_picture_as_large_as_it_is():
    assert sizes(ResNet(named("resnet8-cifar"), 2), 32) == [
        (16, 32, 32),
        (16, 32, 32),
        (32, 16, 16),
        (64, 8, 8),
        (64,),
    ]


@given(architectures)
@settings(max_examples=40, deadline=None)
def test_every_architecture_answers_learns_everywhere_and_takes_its_own_weights(architecture):
    model = ResNet(architecture, 3, zero_start=False).train()
    logits_BK = model(torch.randn(4, 3, 40, 40))
    assert logits_BK.shape == (4, 3)
    logits_BK.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    again = ResNet(architecture, 3)
    load_weights(again, model.state_dict())
    pixels_BCHW = torch.randn(2, 3, 40, 40)
    assert torch.equal(model.eval()(pixels_BCHW), again.eval()(pixels_BCHW))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_a_residual_net_starts_with_branches_that_add_nothing_but_can_learn(version, block):
    torch.manual_seed(0)
    small = Architecture(block=block, depths=(2, 2), widths=(4, 6), version=version, stem="32")
    model = ResNet(small, 3).train()
    second = model.stages[0][1]  # the first of a stage may change the shape
    x_BCHW = torch.randn(2, 4 * small.expansion, 8, 8)
    passed_on_BCHW = x_BCHW.relu() if version == 1 else x_BCHW
    assert torch.equal(second(x_BCHW), passed_on_BCHW)
    model(torch.randn(4, 3, 16, 16)).square().sum().backward()
    for block_ in model.modules():
        if isinstance(block_, BlockV1 | BlockV2):
            assert block_.branch[-1].weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["resnet14-cifar", "plain14-cifar", "resnet18-32px", "plain18"])
@pytest.mark.parametrize("version", [1, 2])
def test_no_channel_is_dead_at_the_start(name, version):
    torch.manual_seed(0)
    architecture = dataclasses.replace(named(name), version=version)
    model = ResNet(architecture, 10).train()
    model(torch.randn(8, 3, 32, 32)).square().sum().backward()
    for block in model.modules():
        if isinstance(block, BlockV1 | BlockV2):
            gradient = block.branch[-1].weight.grad
            learning_C = gradient.reshape(len(gradient), -1).any(1)
            assert learning_C.float().mean() > 0.9


def test_a_plain_net_starts_with_something_to_pass_on():
    plain = dataclasses.replace(SMALL, shortcut="none")
    model = ResNet(plain, 3).train()
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert model.stem.conv.weight.grad.abs().max() > 0


@pytest.mark.parametrize("version", [1, 2])
def test_without_its_shortcuts_a_residual_net_is_its_plain_twin(version):
    residual = dataclasses.replace(named("resnet8-cifar"), version=version)
    model = lived_in(ResNet(residual, 3))
    plain = ResNet(dataclasses.replace(residual, shortcut="none"), 3).eval()
    load_weights(plain, model.state_dict())
    pixels_BCHW = torch.randn(1, 3, 32, 32)
    assert not torch.allclose(model(pixels_BCHW), plain(pixels_BCHW))
    for block in model.modules():
        if isinstance(block, BlockV1 | BlockV2):
            block.shortcut = None
    assert torch.equal(model(pixels_BCHW), plain(pixels_BCHW))


def test_in_v2_the_shortcuts_are_one_straight_line_and_in_v1_they_are_cut_at_zero():
    low_BCHW = -torch.ones(1, 4, 8, 8)
    for version, expected_BCHW in ((1, torch.zeros_like(low_BCHW)), (2, low_BCHW)):
        deep = Architecture(block="basic", depths=(5,), widths=(4,), version=version)
        assert torch.equal(ResNet(deep, 3).stages(low_BCHW), expected_BCHW)


def test_a_padded_shortcut_takes_every_second_place_and_adds_empty_channels():
    padded = Architecture(block="basic", depths=(1, 1), widths=(2, 3), shortcut="padding")
    shortcut = ResNet(padded, 3).stages[1][0].shortcut
    x_BCHW = torch.randn(1, 2, 5, 5)
    out_BCHW = shortcut(x_BCHW)
    assert torch.equal(out_BCHW[:, :2], x_BCHW[:, :, ::2, ::2])
    assert torch.equal(out_BCHW[:, 2], torch.zeros(1, 3, 3))


def test_dropout_is_for_training_alone():
    model = ResNet(dataclasses.replace(SMALL, dropout=0.5), 3, zero_start=False)
    pixels_BCHW = torch.randn(1, 3, 32, 32)
    assert torch.equal(model.eval()(pixels_BCHW), model(pixels_BCHW))
    for module in model.modules():  # the norms stay at rest, so that only dropout can differ
        module.training = isinstance(module, nn.Dropout)
    torch.manual_seed(0)
    assert not torch.equal(model(pixels_BCHW), model(pixels_BCHW))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": "botleneck"}, "block is 'basic' or 'bottleneck', got 'botleneck'"),
        ({"version": 3}, "version is 1 or 2, got 3"),
        ({"shortcut": None}, "shortcut is 'projection', 'padding' or 'none', got None"),
        ({"stem": "64"}, "stem is '224' or '32'"),
        ({"depths": ()}, "depths and widths"),
        ({"depths": (1,)}, "depths and widths"),
        ({"depths": (1, 0)}, "depths and widths"),
        ({"depths": (1, 1.5)}, "depths and widths"),
        ({"dropout": 1.0}, "dropout is a share"),
    ],
)
def test_an_architecture_that_cannot_be_is_one_clear_line(options, message):
    with pytest.raises(ModelError, match=message):
        dataclasses.replace(SMALL, **options)


@pytest.mark.parametrize("name", ["resnet8-cifar", "resnet8-cifar-v2"])
def test_it_can_be_taken_out_as_a_graph_with_equal_logits(name):
    model = lived_in(ResNet(named(name), 3))
    pixels_BCHW = torch.randn(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.export.export(model, (pixels_BCHW,)).module()
    torch.testing.assert_close(graph(pixels_BCHW), model(pixels_BCHW))
