import pytest
import torch
from torch import nn

from hf_resnet.backbones.network import Network
from hf_resnet.backbones.packing import PackedConv, packed
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.engine import Engine
from tests.conftest import FAMILIES, photo


class Shortcut(nn.Module):
    """A shortcut is added between the second convolution and its ReLU, as residual networks have it."""

    def __init__(self, *, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.last = nn.ReLU(inplace=in_place), nn.ReLU(inplace=in_place)
        self.head = nn.Linear(4, 5)

    def forward(self, pixels_BCHW):
        low = self.relu(self.first(pixels_BCHW))
        high = self.second(low)
        if self.in_place:
            high += low
        else:
            high = high + low
        return self.head(self.last(high).mean((2, 3)))


def as_network(model):
    torch.manual_seed(0)
    for value in model.parameters():
        nn.init.normal_(value)
    return Network(model.eval(), source="timm", head_name="head")


def convolutions(network):
    return [module for module in network.modules() if isinstance(module, PackedConv)]


def pixels(count=3, size=32):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def logits(network, pixels_BCHW):
    with torch.inference_mode():
        return network(pixels_BCHW)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_family_answers_as_it_would_unpacked(family, precision, family_folders, monkeypatch):
    classifier = open_classifier(str(family_folders(family)))
    picture = classifier.preprocess(photo())[None].repeat(3, 0)
    compute = ComputeConfig(precision=precision)
    engine = Engine(classifier.network, compute)
    got_BK, got_BD = engine.logits(picture), engine.features(picture)
    monkeypatch.setattr("hf_resnet.engine.network.packed", lambda network, pixels_BCHW: network)
    engine = Engine(classifier.network, compute)
    wanted_BK, wanted_BD = engine.logits(picture), engine.features(picture)
    assert got_BD == pytest.approx(wanted_BD, rel=1e-2 if precision == "bf16" else 1e-4, abs=1e-3)
    assert got_BK == pytest.approx(wanted_BK, rel=1e-2 if precision == "bf16" else 1e-4, abs=1e-4)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_relu_goes_with_the_convolution_before_it_but_not_past_a_shortcut(in_place):
    network = as_network(Shortcut(in_place=in_place))
    lighter = packed(network, pixels(1))
    assert [conv.then[0] for conv in convolutions(lighter)] == ["relu", "none"]
    assert torch.allclose(
        logits(lighter, pixels()), logits(network, pixels()), rtol=1e-4, atol=1e-4
    )


def test_the_network_itself_stays_as_it_was():
    network = as_network(Shortcut(in_place=True))
    packed(network, pixels(1))
    assert not convolutions(network)
    assert isinstance(network.model.relu, nn.ReLU)


def test_a_relu_up_to_six_keeps_its_upper_end():
    model = nn.Sequential()
    model.conv, model.act = nn.Conv2d(3, 4, 3), nn.ReLU6()
    model.pool, model.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(4, 5)
    network = as_network(model)
    lighter = packed(network, pixels(1))
    assert [conv.then[0] for conv in convolutions(lighter)] == ["hardtanh"]
    loud = 100 * pixels()
    assert torch.allclose(logits(lighter, loud), logits(network, loud), rtol=1e-4, atol=1e-4)


def test_pictures_of_another_size_and_number_go_through_a_packed_network():
    network = as_network(Shortcut(in_place=True))
    lighter = packed(network, pixels(1, 32))
    other = pixels(7, 45)
    assert torch.allclose(logits(lighter, other), logits(network, other), rtol=1e-4, atol=1e-4)


class TwiceTaken(Shortcut):
    """What the first convolution gives goes to its ReLU, and unseen by it into a sum as well."""

    def forward(self, pixels_BCHW):
        raw = self.first(pixels_BCHW)
        return self.head((self.relu(raw) + 10 * raw).mean((2, 3)))


def test_a_network_that_would_answer_otherwise_is_left_as_it_is():
    network = as_network(TwiceTaken(in_place=False))
    assert packed(network, pixels(1)) is network


def test_without_the_operations_of_this_pytorch_the_network_is_left_as_it_is(monkeypatch):
    def missing(*_):
        raise AttributeError("no such operation")

    monkeypatch.setattr(PackedConv, "__init__", missing)
    network = as_network(Shortcut(in_place=True))
    assert packed(network, pixels(1)) is network


def test_a_convolution_with_a_border_of_its_own_stays_one():
    model = Shortcut(in_place=False)
    model.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
    network = as_network(model)
    lighter = packed(network, pixels(1))
    assert len(convolutions(lighter)) == 1
    assert torch.allclose(
        logits(lighter, pixels()), logits(network, pixels()), rtol=1e-4, atol=1e-4
    )
