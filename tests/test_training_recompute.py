import copy

import pytest
import timm
import torch
from torch import nn

from hf_resnet.backbones import open_backbone
from hf_resnet.backbones.network import Network, find_head
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ModelConfig
from hf_resnet.training.optimiser import freeze
from hf_resnet.training.recompute import recomputing, trained_blocks


def network_of(folder) -> Network:
    return open_classifier(str(folder)).network


def pixels_for(network: Network, count: int = 3) -> torch.Tensor:
    side = 224 if "patch_embed.proj.weight" in network.model.state_dict() else 32
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def learn(network: Network, *, bf16: bool = False) -> torch.Tensor:
    """The logits of one pass whose gradients are left in the network."""
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits_BK = network(pixels_for(network))
    logits_BK.float().square().sum().backward()
    return logits_BK.detach()


def gradients(network: Network) -> dict[str, torch.Tensor]:
    named = network.named_parameters()
    return {name: each.grad for name, each in named if each.grad is not None}


def kinds(network: Network) -> list[str]:
    return [type(block).__name__ for block in trained_blocks(network)]


def far_apart(got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The largest distance of a tensor from what is expected, as a share of all that is expected."""
    assert got.keys() == expected.keys()
    size = torch.stack([each.norm() for each in expected.values()]).max()
    apart = torch.stack([(got[name] - expected[name]).norm() for name in got]).max()
    return float(apart / size)


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-5), (True, 1e-2)])
def test_gradients_are_those_of_plain_training_with_dropout_as_well(family_folder, bf16, tolerance):
    plain = network_of(family_folder).train()
    for module in plain.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3
    twice = copy.deepcopy(plain)
    expected_BK = learn(plain, bf16=bf16)
    with recomputing(twice):
        got_BK = learn(twice, bf16=bf16)
    assert far_apart({"logits": got_BK}, {"logits": expected_BK}) < tolerance
    assert far_apart(gradients(twice), gradients(plain)) < tolerance


def test_batch_norms_count_every_batch_once(family_folder):
    plain = network_of(family_folder).train()
    twice = copy.deepcopy(plain)
    learn(plain)
    with recomputing(twice):
        learn(twice)
    torch.testing.assert_close(twice.state_dict(), plain.state_dict())


def test_batch_norms_that_keep_their_statistics_compute_with_them(family_folders):
    plain = network_of(family_folders("timm-resnet")).eval()
    twice = copy.deepcopy(plain)
    learn(plain)
    with recomputing(twice):
        learn(twice)
    assert far_apart(gradients(twice), gradients(plain)) < 1e-5


def test_blocks_are_gone_through_twice(family_folders):
    network = network_of(family_folders("scratch")).train()
    block = trained_blocks(network)[1]
    passes = []
    block.branch.register_forward_hook(lambda *_: passes.append(1))
    with recomputing(network):
        learn(network)
    assert len(passes) == 2


def test_less_is_kept_for_the_backward_pass():
    network = open_backbone(ModelConfig(model_name_or_path="scratch:resnet20-cifar"))[0].network
    network.train()

    def kept() -> int:
        sizes = {}

        def note(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            logits_BK = network(pixels_for(network))
        return sum(sizes.values()) if logits_BK.requires_grad else 0

    plain = kept()
    with recomputing(network):
        assert kept() < plain / 2


def test_names_and_modules_stay_and_no_trace_is_left(family_folder):
    network = network_of(family_folder)
    names, modules = list(network.state_dict()), list(network.modules())
    with recomputing(network):
        assert list(network.state_dict()) == names
        assert list(map(id, network.modules())) == list(map(id, modules))
    assert not any("forward" in vars(module) for module in modules)


def test_it_is_undone_after_an_error_too(family_folders):
    network = network_of(family_folders("scratch"))
    with pytest.raises(ValueError, match="broken off"), recomputing(network):
        raise ValueError("broken off")
    assert not any("forward" in vars(module) for module in network.modules())


def test_a_copy_taken_meanwhile_computes_with_its_own_weights(family_folders):
    network = network_of(family_folders("scratch")).eval()
    with recomputing(network):
        copied = copy.deepcopy(network)
    pixels_BCHW = pixels_for(network)
    with torch.no_grad():
        expected_BK = network(pixels_BCHW)
        for parameter in network.parameters():
            parameter.zero_()
        torch.testing.assert_close(copied(pixels_BCHW), expected_BK)


def test_frozen_stages_are_left_alone(family_folders):
    network = network_of(family_folders("timm-resnet"))
    freeze(network, 1)
    assert trained_blocks(network) == [network.model.layer4[0]]
    network.requires_grad_(False)
    assert trained_blocks(network) == []


def test_a_pass_without_gradients_runs_once(family_folders):
    network = network_of(family_folders("scratch")).eval()
    with torch.no_grad():
        expected_BK = network(pixels_for(network))
        with recomputing(network):
            got_BK = network(pixels_for(network))
    assert torch.equal(got_BK, expected_BK)


@pytest.mark.parametrize(
    ("architecture", "kind", "count"),
    [
        ("resnet50", "Bottleneck", 16),
        ("regnety_002", "Bottleneck", 13),
        ("densenet121", "DenseLayer", 58),
        ("convnext_atto", "ConvNeXtBlock", 12),
        ("vit_tiny_patch16_224", "Block", 12),
        ("xception41", "XceptionModule", 13),
    ],
)
def test_a_block_is_what_a_stage_repeats(architecture, kind, count):
    with torch.device("meta"):
        model = timm.create_model(architecture, num_classes=10)
    network = Network(model, source="timm", head_name=find_head(model, 10))
    assert kinds(network).count(kind) == count


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("transformers-resnet", "ResNetBottleNeckLayer"),
        ("transformers-convnext", "ConvNextLayer"),
        ("transformers-vit", "ViTLayer"),
        ("transformers-mobilenet", "MobileNetV2InvertedResidual"),
        ("scratch", "BlockV2"),
    ],
)
def test_the_rule_is_the_same_for_every_source(family_folders, family, kind):
    assert kind in kinds(network_of(family_folders(family)))


def test_it_is_compiled_like_any_network(family_folders):
    plain = network_of(family_folders("scratch")).train()
    twice = copy.deepcopy(plain)
    learn(plain)
    with recomputing(twice):
        compiled = torch.compile(twice, backend="aot_eager")
        compiled(pixels_for(twice)).square().sum().backward()
    assert far_apart(gradients(twice), gradients(plain)) < 1e-5
    torch.testing.assert_close(twice.state_dict(), plain.state_dict())
