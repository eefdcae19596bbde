"""The pages: serve, lab, and deploy_space, which puts the first on the Hub."""

from dataclasses import dataclass, field
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
    --more_data learns."""

    wrong_answers: str | None = None
    """The same, but keep it in this private data set of the Hub, OWNER/NAME, from which finetune
    --more_data learns. --keep_wrong is then the folder where pictures wait until they are sent."""

    lang: PageLanguage = "auto"
    """The page's language: auto takes that of the browser; a switch changes it."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    def __post_init__(self) -> None:
        within(self, "port", 1, 65_535)
        if self.lang not in get_args(PageLanguage):  # a Space has it from its settings
            raise ConfigError(f"--lang is auto, en or my, got {self.lang!r}")


@dataclass(frozen=True, kw_only=True)
class LabConfig:
    """Look inside networks on a page: layers, maps, heat, ideal pictures, and how they are fooled."""

    model_name_or_path: Annotated[str | None, Positional, arg(metavar="MODEL")] = None
    """A network to choose beside those that need no Hub: a folder, a Hub id, timm:NAME, packaged:NAME
    or scratch:NAME. It comes first."""

    port: int = 7860
    """Where the page is on this machine."""

    host: str = "127.0.0.1"
    """Who can reach it: 127.0.0.1 this machine alone, 0.0.0.0 everybody on the network."""

    lang: PageLanguage = "auto"
    """The page's language: auto takes that of the browser; a switch changes it."""

    degrade_dir: str | None = None
    """A folder that hf-resnet degrade wrote, to be shown (default: the figures of the README)."""

    trust_remote_code: bool = False
    """Run Python code that comes with the Hub model named. Only for authors you trust."""

    def __post_init__(self) -> None:
        within(self, "port", 1, 65_535)
        if self.lang not in get_args(PageLanguage):  # a Space has it from its settings
            raise ConfigError(f"--lang is auto, en or my, got {self.lang!r}")


Hardware = Literal["cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1"]


@dataclass(frozen=True, kw_only=True)
class DeploySpaceConfig:
    """Put the page of a model on the Hub as a Space; the same command again updates it."""

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model folder, whose files then go into the Space, or the id of a model on the Hub."""

    space_id: str
    """Where it goes: OWNER/NAME, or NAME for your own."""

    hardware: Hardware = "cpu-basic"
    """The machine it runs on. A free account may have two Spaces like this one, with zero-a10g;
    the others want a paid plan."""

    hub_private_repo: bool = False
    """Make the Space one that only you see. What is public there already is refused."""

    title: str | None = None
    """Its name on the Hub (default: made of the name of the Space, or what it is called there)."""

    license: str = "apache-2.0"
    """The licence to name on its page."""

    lang: PageLanguage = "auto"
    """The page's language: auto takes that of the browser; a switch changes it."""

    wrong_answers: str | None = None
    """Let people say what a picture really is, and keep it in this private data set of the Hub,
    OWNER/NAME, from which finetune --dataset_name learns. Needs --space_token."""

    space_token: str | None = field(default=None, repr=False)
    """A login for the Space itself, kept by the Hub as its secret HF_TOKEN: to write wrong answers, or
    to read a private model. Make one that may do no more than that. Others of this machine may see
    what is typed: the environment variable HF_RESNET_SPACE_TOKEN is better."""

    wait: bool = False
    """Wait until the page is up, and say what went wrong where it does not come up."""

    dry_run: bool = False
    """Write the folder that would be uploaded, show it, and ask no network."""

    output_dir: str | None = None
    """Where --dry_run writes it (default: the name of the Space)."""

    def __post_init__(self) -> None:
        if not self.space_id.rpartition("/")[2].strip("."):
            raise ConfigError(
                f"--space_id is OWNER/NAME, or NAME for your own, got {self.space_id!r}"
            )
        if self.output_dir and not self.dry_run:
            raise ConfigError("--output_dir is for --dry_run, and nothing is written without it")
