"""How to use a model that is on the Hub: the ways that go, as code that runs as it stands."""

from typing import Any


def libraries(config: dict[str, Any]) -> tuple[str, ...]:
    """The other libraries that open a model of this config.json; ours opens all."""
    if "architecture" in config and config.get("model_type", "timm_wrapper") == "timm_wrapper":
        return ("timm", "transformers")
    return ("transformers",) if "model_type" in config else ()


def ways(config: dict[str, Any], repo: str, revision: str = "main") -> list[tuple[str, str, str]]:
    """Of every way its title, the language, and the code; of a model that is not on main it says so."""
    elsewhere = revision != "main"
    at, argument = (f"@{revision}", f', revision="{revision}"') if elsewhere else ("", "")
    every = {
        "transformers": ("transformers", "python", _TRANSFORMERS),
        "timm": ("timm", "python", _TIMM),
    }
    found = [every[name] for name in reversed(libraries(config))]
    found += [("hf-resnet", "python", _OURS), ("hf-resnet on the command line", "bash", _COMMAND)]
    return [
        (title, language, code.format(repo=repo, at=at, argument=argument))
        for title, language, code in found
    ]


_TRANSFORMERS = """from transformers import pipeline

classify = pipeline("image-classification", model="{repo}"{argument})
print(classify("picture.jpg"))"""

_TIMM = """import timm
from PIL import Image

model = timm.create_model("hf-hub:{repo}{at}", pretrained=True).eval()
settings = timm.data.resolve_model_data_config(model)
picture = Image.open("picture.jpg").convert("RGB")
pixels = timm.data.create_transform(**settings, is_training=False)(picture)
best = model(pixels.unsqueeze(0)).softmax(1).argmax().item()
print(model.pretrained_cfg["label_names"][best])"""

_OURS = """from hf_resnet import open_classifier

classify = open_classifier("{repo}{at}")
print(classify("picture.jpg"))"""

_COMMAND = "hf-resnet predict {repo}{at} picture.jpg"
