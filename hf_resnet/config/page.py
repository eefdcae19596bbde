"""The page: serve."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from tyro.conf import Positional, arg

from hf_resnet.config.limits import within
from hf_resnet.errors import ConfigError

PageLanguage = Literal["auto", "en", "my"]


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Show a model on a page where people ask it about their pictures."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model: a folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""

    port: int = 7860
    """Where the page is on this machine."""

    host: str = "127.0.0.1"
    """Who can reach it: 127.0.0.1 this machine alone, 0.0.0.0 everybody on the network."""

    keep_wrong: str | None = None
    """Let people say what a picture really is, and keep it in this folder, from which finetune
    --train_dir learns."""

    lang: PageLanguage = "auto"
    """The page's language: auto takes that of the browser; a switch changes it."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    def __post_init__(self) -> None:
        within(self, "port", 1, 65_535)
        if self.lang not in get_args(PageLanguage):  # a Space has it from its settings
            raise ConfigError(f"--lang is auto, en or my, got {self.lang!r}")
