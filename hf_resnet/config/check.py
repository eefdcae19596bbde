"""Checking pictures before anything is learned from them."""

from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import OmitArgPrefixes

from hf_resnet.config.groups import ComputeConfig, DataConfig
from hf_resnet.errors import ConfigError

DEFAULT_MODEL = "packaged:efficientnet-lite0"
LISTS = (".csv", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class CheckDataConfig:
    """Say what is wrong with pictures before they are learned from, and offer a cleaned list."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    model_name_or_path: str = DEFAULT_MODEL
    """The network through whose eyes labels, outliers and look-alikes are judged: a folder, a Hub id,
    timm:NAME or packaged:NAME."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    without_features: bool = False
    """Do without a network: faster, but no suspicious labels, look-alikes, outliers and shift."""

    output_dir: str = "outputs/check"
    """Where findings.json and findings.html are written."""

    write_clean: str | None = None
    """Write the training pictures that are left to this .csv or .jsonl file, for finetune
    --train_file. No picture is moved or deleted."""

    strict: bool = False
    """Exit with 1 where something serious is found: files that cannot be read, a picture in two
    splits or under two classes, a class without pictures."""

    feature_cache_dir: str | None = None
    """Where features are kept (default: ~/.cache/hf_resnet/features, or $HF_RESNET_CACHE)."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        if self.write_clean is not None and Path(self.write_clean).suffix.lower() not in LISTS:
            raise ConfigError(
                f"--write_clean takes a file that ends in .csv or .jsonl, got {self.write_clean}"
            )
