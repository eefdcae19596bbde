"""What goes to the Hub: with finetune, and by push."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.config.groups import DataConfig
from hf_resnet.config.limits import steps_or_epoch
from hf_resnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class HubConfig:
    """Whether the finished model goes to the Hub."""

    push_to_hub: bool = False
    """Put the model on the Hub when it is saved; `hf-resnet push` does the same later."""

    hub_model_id: str | None = None
    """Where it goes: OWNER/NAME, or NAME for your own (default: the name of the output folder)."""

    push_every: str | None = None
    """Keep the newest checkpoint of the run on the branch `hf-resnet-training` of the repository too,
    sent in the background every so many steps or every epoch, so that another machine can go on from
    it (--resume_from_checkpoint hub)."""

    hub_token: str | None = field(default=None, repr=False)
    """A login for this run alone; it is written nowhere. Others of this machine may see it while the
    run goes on: `hf auth login` or HF_TOKEN are better."""

    hub_private_repo: bool = False
    """Make the repository one that only you see. What is public there already is refused."""

    def __post_init__(self) -> None:
        if self.push_every is not None:
            steps_or_epoch("push_every", self.push_every)
        if self.push_every and not self.push_to_hub:
            raise ConfigError("--push_every is for models that go to the Hub; add --push_to_hub")
        if (self.hub_model_id or self.hub_private_repo) and not self.push_to_hub:
            name = "--hub_model_id" if self.hub_model_id else "--hub_private_repo"
            raise ConfigError(f"{name} says how to push, and nothing is pushed; add --push_to_hub")


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """Put a model folder on the Hub, with its card, as one commit."""

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model folder that finetune or relabel wrote."""

    hub_model_id: str | None = None
    """Where it goes: OWNER/NAME, or NAME for your own (default: the name of the folder)."""

    hub_private_repo: bool = False
    """Make the repository one that only you see. What is public there already is refused."""

    create_pr: bool = False
    """Ask for the change with a pull request, and change nothing yourself."""

    revision: str = "main"
    """The branch; made where there is none."""

    tag: str | None = None
    """A name for this version, such as v1, under which it can be had for ever."""

    license: str | None = None
    """The licence to name in the card, such as apache-2.0 (default: what the card there says)."""

    force: bool = False
    """Push in place of a better model, of one that hf-resnet did not make, or of a card that was
    edited both here and there."""

    pending: bool = False
    """Finish the push that was begun from this folder, as it was asked for then."""

    def __post_init__(self) -> None:
        if self.create_pr and self.tag:
            raise ConfigError("a pull request cannot have a tag; leave out --tag, or --create_pr")
        for name in ("hub_model_id", "revision", "tag"):
            if getattr(self, name) == "":
                raise ConfigError(f"--{name} is empty; give a name, or leave it out")
        asked = (self.hub_model_id, self.hub_private_repo, self.create_pr, self.tag, self.force)
        if self.pending and (any(asked) or self.license or self.revision != "main"):
            raise ConfigError("--pending stands alone: it goes on with what was asked for before")


@dataclass(frozen=True, kw_only=True)
class PushDataConfig:
    """Put pictures with their classes on the Hub, as a data set that anybody can learn from."""

    folder: Annotated[str | None, Positional, arg(metavar="DIR")] = None
    """A folder with one folder of pictures a class, or with train, validation and test folders; other
    sources by the flags below."""

    hub_dataset_id: str
    """Where it goes: OWNER/NAME, or NAME for your own."""

    hub_private_repo: bool = False
    """Make the repository one that only you see. What is public there already is refused."""

    license: str | None = None
    """The licence to name in the card, such as cc-by-4.0 (default: what the card there says)."""

    keep_metadata: bool = False
    """Push what cameras wrote beside the pixels too: place, time, owner. It is left out otherwise."""

    force: bool = False
    """Replace a data set that push-data did not make."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
