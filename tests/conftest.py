"""What many tests share: small networks of every family, on disk as their own library leaves them."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

NAMES = ("tabby, tabby cat", "tiger cat", "zebra", "10", "2")

torch.set_num_threads(1)

settings.register_profile("untimed", deadline=None)  # the machine may be busy
settings.load_profile("untimed")


def _hugging(config_name: str, model_name: str, processor_name: str, **options):
    def save(folder: Path) -> None:
        import transformers

        names = dict(enumerate(NAMES))
        config = getattr(transformers, config_name)(
            id2label=names, label2id={name: i for i, name in names.items()}, **options
        )
        getattr(transformers, model_name)(config).save_pretrained(folder)
        size = {"size": {"height": 32, "width": 32}} if "ViT" in processor_name else {}
        getattr(transformers, processor_name)(**size).save_pretrained(folder)

    return save


def _timm(architecture: str, **options):
    def save(folder: Path) -> None:
        import timm
        from timm.models._hub import save_for_hf

        model = timm.create_model(architecture, num_classes=len(NAMES), **options)
        if hasattr(model, "init_weights") and "resnet" in architecture:
            model.init_weights(zero_init_last=False)
        save_for_hf(
            model,
            folder,
            model_config={"label_names": list(NAMES)},
            model_args=options,
            safe_serialization=True,
        )

    return save


def _scratch(**options):
    def save(folder: Path) -> None:
        from hf_resnet.backbones import scratch
        from hf_resnet.backbones.network import Network
        from hf_resnet.labels import Labels
        from hf_resnet.preprocess import Preprocess
        from hf_resnet.resnet import Architecture, ResNet

        torch.manual_seed(7)  # unlike the weights that a scratch network has by itself
        model = ResNet(Architecture(**options), len(NAMES), zero_start=False).eval()
        network = Network(model, source=scratch.NAME, head_name="head")
        preprocess = Preprocess(mode="crop", size=(32, 32), resize=(36, 36))
        scratch.save(network, Labels(NAMES), preprocess, folder)

    return save


FAMILIES: dict[str, Callable[[Path], None]] = {
    "transformers-resnet": _hugging(
        "ResNetConfig",
        "ResNetForImageClassification",
        "ConvNextImageProcessor",
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
    ),
    "transformers-convnext": _hugging(
        "ConvNextConfig",
        "ConvNextForImageClassification",
        "ConvNextImageProcessor",
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
    ),
    "transformers-vit": _hugging(
        "ViTConfig",
        "ViTForImageClassification",
        "ViTImageProcessor",
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
    ),
    "transformers-mobilenet": _hugging(
        "MobileNetV2Config",
        "MobileNetV2ForImageClassification",
        "MobileNetV2ImageProcessor",
        depth_multiplier=0.25,
    ),
    "timm-resnet": _timm("resnet10t"),
    "timm-vgg": _timm("vgg11", mlp_ratio=0.01),
    "timm-mobilenet": _timm("mobilenetv3_small_050"),
    "timm-vit": _timm("vit_tiny_patch16_224", depth=1, embed_dim=24, num_heads=2),
    "timm-convolution-head": _timm("resnetv2_18"),
    "scratch": _scratch(block="bottleneck", depths=(1, 2), widths=(8, 12), version=2),
}
OURS_ALONE = ("scratch",)
"""Families whose folder no other library opens."""


@pytest.fixture(scope="session")
def family_folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's network, made when first asked for. Tests must not write in it."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            torch.manual_seed(0)
            made[family] = tmp_path_factory.mktemp(family)
            FAMILIES[family](made[family])
        return made[family]

    return folder


@pytest.fixture(params=FAMILIES)
def family_folder(request: pytest.FixtureRequest, family_folders) -> Path:
    return family_folders(request.param)


@pytest.fixture(params=[family for family in FAMILIES if family not in OURS_ALONE])
def native_family_folder(request: pytest.FixtureRequest, family_folders) -> Path:
    """The folder of a family that has a library of its own, to compare with."""
    return family_folders(request.param)


@pytest.fixture(scope="session")
def _hub_of_the_session():
    from tests.hub_server import running

    with running() as hub:
        yield hub


@pytest.fixture
def hub(_hub_of_the_session):
    """A Hub on this machine, with nothing in it; see tests/hub_server.py."""
    _hub_of_the_session.forget()
    return _hub_of_the_session


def photo(seed: int = 0, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture with broad shapes, unlike noise, and another for every seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: within it no file of this process grows beyond so many bytes."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
