import timm
import torch
from torch import nn

from hf_resnet.backbones.folding import folded, has_norms
from hf_resnet.backbones.network import Network
from hf_resnet.classifier import open_classifier
from tests.conftest import photo


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def lively(model):
    """Batch-norms with statistics of their own, so that a wrong fold shows."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def test_a_folded_network_gives_the_same_logits_and_features(family_folder):
    classifier = open_classifier(str(family_folder))
    lively(classifier.network)
    pixels_BCHW = torch.from_numpy(classifier.preprocess(photo()))[None]
    lighter = folded(classifier.network, pixels_BCHW)
    with torch.no_grad():
        for ask in (lambda network: network(pixels_BCHW), lambda n: n.features(pixels_BCHW)):
            torch.testing.assert_close(ask(lighter), ask(classifier.network), rtol=1e-3, atol=1e-4)


def test_the_network_given_is_left_as_it_was(family_folders):
    network = open_classifier(str(family_folders("timm-resnet"))).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded(network, torch.randn(1, 3, 64, 64))
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_every_batch_norm_behind_a_convolution_is_folded(family_folders):
    for family in ("timm-resnet", "timm-mobilenet", "transformers-resnet"):
        network = open_classifier(str(family_folders(family))).network
        lighter = folded(network, torch.randn(1, 3, 64, 64))
        assert norms(network) > 0
        assert not has_norms(lighter), family


def test_a_convolution_that_feeds_two_layers_is_left_and_the_others_are_folded():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)
            self.other = nn.Conv2d(4, 4, 1)
            self.fc = nn.Linear(4, 5)

        def forward(self, x):
            x = self.conv(self.first(x))
            return self.fc((self.norm(x) + self.other(x)).mean((2, 3)))

    network = Network(lively(Fork()), source="timm", head_name="fc")
    pixels_BCHW = torch.randn(2, 3, 8, 8)
    lighter = folded(network, pixels_BCHW[:1])
    assert (norms(network), norms(lighter)) == (2, 1)
    with torch.no_grad():
        torch.testing.assert_close(lighter(pixels_BCHW), network(pixels_BCHW))


def test_a_network_that_would_answer_otherwise_is_given_back_unfolded():
    class Hidden(nn.Module):
        """Uses the convolution's output a second time where no layer shows it."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)
            self.fc = nn.Linear(4, 5)

        def forward(self, x):
            x = self.conv(x)
            return self.fc((self.norm(x) + x).mean((2, 3)))

    network = Network(lively(Hidden()), source="timm", head_name="fc")
    assert folded(network, torch.randn(1, 3, 8, 8)) is network


def test_pre_activation_networks_keep_the_norms_that_cannot_be_folded():
    model = lively(timm.create_model("resnetv2_18", num_classes=3))
    network = Network(model, source="timm", head_name="head.fc")
    pixels_BCHW = torch.randn(2, 3, 64, 64)
    lighter = folded(network, pixels_BCHW[:1])
    assert 0 < norms(lighter) <= norms(network)
    with torch.no_grad():
        torch.testing.assert_close(lighter(pixels_BCHW), network(pixels_BCHW), rtol=1e-3, atol=1e-4)
