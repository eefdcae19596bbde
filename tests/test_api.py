"""The public API: these names, and no heavy library before one of them is used."""

import importlib.util
import subprocess
import sys

import pytest

import hf_resnet

PUBLIC = [
    "Classifier",
    "ComputeConfig",
    "DataConfig",
    "HeadConfig",
    "HfResnetError",
    "Labels",
    "ModelConfig",
    "Surgery",
    "change_classes",
    "load_data",
    "measure",
    "open_classifier",
    "pictures",
    "train_head",
]


def test_the_public_names_are_these():
    assert hf_resnet.__all__ == PUBLIC
    for name in PUBLIC:
        assert callable(getattr(hf_resnet, name)), name


@pytest.mark.parametrize("name", PUBLIC)
def test_no_public_name_is_that_of_a_module_which_would_hide_it(name):
    assert importlib.util.find_spec(f"hf_resnet.{name}") is None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hf_resnet.nothing


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, hf_resnet; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in out.stdout.split()}
    assert not loaded & {"torch", "transformers", "timm", "datasets", "numpy", "PIL", "tyro"}
