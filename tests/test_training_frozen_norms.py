import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from hf_resnet.backbones import open_backbone
from hf_resnet.backbones.network import Network
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ModelConfig
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.recompute import recomputing


def norms_of(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]


def lived(network: Network) -> Network:
    """With norms that have seen something."""
    torch.manual_seed(0)
    for norm in norms_of(network):
        nn.init.normal_(norm.running_mean, 0, 0.2)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias, 0, 0.2)
    return network.requires_grad_(True)


def learned(
    network: Network,
    size: tuple[int, int],
    *,
    folded: bool,
    recompute: bool = False,
    batch: int = 3,
):
    """The loss and every gradient of a batch, the norms being frozen, and the bytes kept for it."""
    network = copy.deepcopy(network)
    norms = FrozenNorms(network, size)
    network.train()
    for module in network.modules():  # of dropped units and paths both sides would draw their own
        if isinstance(module, nn.BatchNorm2d) or "drop" in type(module).__name__.lower():
            module.eval()
    torch.manual_seed(1)
    pixels_BCHW = torch.randn(batch, 3, *size)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with (
        recomputing(network) if recompute else nullcontext(),
        norms.folded() if folded else nullcontext(),
    ):
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = nn.functional.cross_entropy(network(pixels_BCHW), torch.arange(batch) % 3)
        loss.backward()
    gradients = {name: each.grad for name, each in network.named_parameters()}
    return loss.detach(), gradients, sum(kept.values())


def assert_learns_alike(one, other) -> None:
    torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-4)
    assert one[1].keys() == other[1].keys()
    for name, wanted in one[1].items():
        got = other[1][name]
        if wanted is None:
            assert got is None, name
        else:
            assert (got - wanted).norm() <= 2e-3 * wanted.norm() + 1e-6, name


def test_every_family_learns_the_same_with_its_norms_folded(family_folder):
    classifier = open_classifier(str(family_folder))
    network, size = lived(classifier.network), classifier.preprocess.size
    assert_learns_alike(learned(network, size, folded=False), learned(network, size, folded=True))


@pytest.mark.parametrize("name", ["scratch:resnet18", "packaged:efficientnet-lite0"])
def test_it_learns_the_same_where_activations_are_computed_again(name):
    network = lived(open_backbone(ModelConfig(model_name_or_path=name))[0].network)
    plain = learned(network, (64, 64), folded=False)
    assert_learns_alike(plain, learned(network, (64, 64), folded=True, recompute=True))


def test_a_resnet_keeps_little_more_than_half_for_the_backward_pass():
    network = lived(open_backbone(ModelConfig(model_name_or_path="scratch:resnet50"))[0].network)
    plain, folded = (
        learned(network, (64, 64), folded=each, batch=6)[2]
        - learned(network, (64, 64), folded=each, batch=3)[2]
        for each in (False, True)
    )
    assert folded < 0.65 * plain


def test_norms_that_learn_their_statistics_are_left_to_do_so():
    network = lived(open_backbone(ModelConfig(model_name_or_path="scratch:resnet18"))[0].network)
    norms = FrozenNorms(network, (64, 64))
    network.train()
    before = [norm.running_mean.clone() for norm in norms_of(network)]
    with norms.folded():
        network(torch.randn(4, 3, 64, 64))
    changed = [
        not torch.equal(norm.running_mean, mean)
        for norm, mean in zip(norms_of(network), before, strict=True)
    ]
    assert all(changed)


def test_afterwards_the_network_is_called_as_ever():
    network = open_backbone(ModelConfig(model_name_or_path="scratch:resnet18"))[0].network
    names = list(network.state_dict())
    norms = FrozenNorms(network, (64, 64))
    with pytest.raises(KeyError), norms.folded():
        assert list(network.state_dict()) == names
        assert any("forward" in vars(module) for module in network.modules())
        raise KeyError
    assert not any("forward" in vars(module) for module in network.modules())


def test_a_compiled_network_learns_the_same():
    network = lived(open_backbone(ModelConfig(model_name_or_path="scratch:resnet18"))[0].network)
    norms = FrozenNorms(network, (64, 64))
    compiled = torch.compile(network, backend="aot_eager")
    pixels_BCHW = torch.randn(2, 3, 64, 64)
    wanted_BK = network(pixels_BCHW)
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(network, backend=counter)
    for _ in range(3):
        with norms.folded():
            got_BK = compiled(pixels_BCHW)
        torch.testing.assert_close(got_BK, wanted_BK, rtol=1e-4, atol=1e-4)
    assert counter.frame_count == 1  # and not once a step
