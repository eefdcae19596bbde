"""What is done with a model that is there: relabel and predict."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.config.export import Backend
from hf_resnet.config.groups import ComputeConfig, ModelConfig
from hf_resnet.config.limits import at_least, within
from hf_resnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RelabelConfig:
    """Change the classes of a trained classifier without losing what it knows of those that stay.

    keep, drop, rename and merge name classes of the model as it is; a part between commas is enough
    ("tabby" finds "tabby, tabby cat"). Merged and renamed classes stay.
    """

    model: OmitArgPrefixes[ModelConfig]
    output_dir: str
    """The model folder to write."""

    keep: tuple[str, ...] = ()
    """Classes that stay, all others go: a,b,c. A name that begins with dashes is written --keep=-x."""

    drop: tuple[str, ...] = ()
    """Classes that go: a,b,c."""

    rename: tuple[str, ...] = ()
    """New names: old=new."""

    merge: tuple[str, ...] = ()
    """One class out of several: cat=tabby,tiger cat."""

    add: tuple[str, ...] = ()
    """New classes at the end: a,b,c."""

    labels: str | None = None
    """A file with the exact class names wanted, one a line, in order; it stands alone."""

    surgery: str | None = None
    """A YAML file with the keys keep, drop, rename, merge and add; it stands alone."""

    add_dir: str | None = None
    """A folder with a folder of pictures for each added class; their features make its row."""

    sample_dir: str | None = None
    """A folder of any pictures such as the model will meet: merged rows are fitted on them, and the
    error that merging makes is measured on them."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    overwrite_output_dir: bool = False
    """Replace a model folder that is already there."""


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Say what pictures are."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model: a folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""

    inputs: Annotated[tuple[str, ...], Positional, arg(metavar="PICTURES...")]
    """Picture files, folders of them (any depth), a Hub data set or a sample:NAME."""

    output: str | None = None
    """Write the rows to this .jsonl, .csv or .parquet file; or, for large jobs, to this folder: many
    processes (accelerate launch) fill it, and a run that was stopped goes on when started again."""

    rows_per_part: int = 1000
    """Rows in each file of such a folder: what a process loses when it is killed, at most."""

    top_k: int = 3
    """Classes listed for each picture."""

    split: str = "test"
    """The split to read where the input is a data set."""

    streaming: bool = False
    """Read a Hub data set as it comes, without storing it first."""

    image_column_name: str | None = None
    """The data set's column with the pictures."""

    backend: Backend = "auto"
    """What computes: torch, or an export of the model (see hf-resnet export); auto takes the quickest
    export that is there and up to date, else torch, and torch where there is a graphics card."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        at_least(self, "top_k", 1)
        within(self, "rows_per_part", 1, 1_000_000)
        if not self.inputs:
            raise ConfigError("predict needs pictures: give files, a folder or a data set")
