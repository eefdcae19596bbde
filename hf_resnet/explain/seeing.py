"""What a network sees of a picture, and how to ask it about that with gradients.

`Preprocess` makes numbers of pictures for every other room, in numpy. Here the last part of it, from
the 0 to 255 of a pixel to what goes into the network, stands once more in torch, so that a gradient
can run back through it; a test holds the two equal.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hf_resnet.backbones import Network
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.engine import Engine
from hf_resnet.errors import ModelError
from hf_resnet.preprocess import Preprocess


def window(preprocess: Preprocess, picture: Image.Image) -> Image.Image:
    """The part of a picture (mode RGB) that the network sees, at the size it sees."""
    return Image.fromarray(preprocess.resized(picture))


def scaled(preprocess: Preprocess, picture: Image.Image) -> Image.Image:
    """The whole picture at the scale the network sees it; scaling it once more changes no pixel."""
    height, width = preprocess.scaled_size((picture.height, picture.width))
    return picture.resize((width, height), preprocess.resample)


def levels_of(pictures: Sequence[Image.Image], network: Network) -> Tensor:
    """The pixels as numbers from 0 to 255, levels_BCHW, where the network's weights are."""
    levels_BHWC = torch.from_numpy(np.stack([np.asarray(each) for each in pictures]))
    return levels_BHWC.permute(0, 3, 1, 2).to(network.head.weight)


def cut_out(preprocess: Preprocess, levels_CHW: Tensor) -> Tensor:
    """The window that the network sees of a picture at its scale, with bars where it is larger."""
    (height, width), (high, wide) = levels_CHW.shape[1:], preprocess.size
    top, left = preprocess.corner((height, width))
    bars = (max(-left, 0), max(left + wide - width, 0), max(-top, 0), max(top + high - height, 0))
    fill = levels_CHW.new_tensor(preprocess.fill)[:, None, None]
    padded_CHW = nn.functional.pad(levels_CHW - fill, bars) + fill
    top, left = max(top, 0), max(left, 0)
    return padded_CHW[:, top : top + high, left : left + wide]


def as_picture(levels_CHW: Tensor) -> Image.Image:
    """The picture of these levels, rounded to whole ones."""
    whole = levels_CHW.detach().float().clamp(0, 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(whole.cpu().numpy())


def network_input(preprocess: Preprocess, levels_BCHW: Tensor) -> Tensor:
    """pixels_BCHW as the network takes them, of RGB levels."""
    mean_C11 = levels_BCHW.new_tensor(preprocess.mean)[:, None, None]
    std_C11 = levels_BCHW.new_tensor(preprocess.std)[:, None, None]
    order = ["RGB".index(channel) for channel in preprocess.channel_order]
    pixels_BCHW: Tensor = ((levels_BCHW / 255 - mean_C11) / std_C11)[:, order]
    return pixels_BCHW


def engine_for(classifier: Classifier, compute: ComputeConfig | None) -> Engine:
    """The engine that predicts, with the network itself on the same device from the start; asked
    about a grey picture first, since minutes of work on broken weights would come to nothing."""
    engine = Engine(classifier.network, compute or ComputeConfig())
    classifier.network.to(engine.device)
    height, width = classifier.preprocess.size
    grey = Image.new("RGB", (width, height), "grey")
    must_be_finite(torch.from_numpy(engine.logits(classifier.preprocess(grey)[None])))
    return engine


def must_be_finite(logits_BK: Tensor) -> None:
    """ModelError where the answer is no numbers: there is nothing to explain then."""
    if not logits_BK.isfinite().all():
        raise ModelError(
            "the network gave numbers that are not finite, so there is no answer to explain; try "
            "--precision fp32, and if that helps nothing the weights are broken"
        )


def probabilities(classifier: Classifier, levels_BCHW: Tensor) -> Tensor:
    """probabilities_BK of windows given as levels."""
    with torch.no_grad():
        logits_BK = classifier.network(network_input(classifier.preprocess, levels_BCHW))
    shares_BK: Tensor = logits_BK.float().softmax(1).cpu()
    return shares_BK


@contextmanager
def held_still(network: Network) -> Iterator[None]:
    """The network as it predicts, its weights without gradients; put back as it was afterwards."""
    training = [module for module in network.modules() if module.training]
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    network.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for module in training:
            module.training = True
        for weight in learning:
            weight.requires_grad_(True)
