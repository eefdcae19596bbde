"""What a run is: one frozen dataclass a command, made of groups that several commands share.

The text under a field is its help. Values come from the defaults here, then a recipe (`--config
recipe.yaml`), then flags. Only `cli` fills these; everything below it is handed a group and knows
nothing of flags. Flag names are those of the Hugging Face example scripts wherever one exists there.
"""

from hf_resnet.config.benchmark import BenchmarkConfig, BenchmarkSubject
from hf_resnet.config.check import CheckDataConfig
from hf_resnet.config.export import Backend, ExportConfig, ExportFormat
from hf_resnet.config.finetune import DemoConfig, FinetuneConfig, Method
from hf_resnet.config.groups import (
    ComputeConfig,
    DataConfig,
    HeadConfig,
    ModelConfig,
    OnBadImage,
    PreprocessConfig,
)
from hf_resnet.config.hub import HubConfig, PushConfig, PushDataConfig
from hf_resnet.config.inside import DegradeConfig, ExplainConfig, LayersConfig
from hf_resnet.config.limits import bytes_of
from hf_resnet.config.measure import MeasureConfig
from hf_resnet.config.models import PredictConfig, RelabelConfig
from hf_resnet.config.page import (
    DeploySpaceConfig,
    Hardware,
    LabConfig,
    PageLanguage,
    ServeConfig,
)
from hf_resnet.config.training import TrainConfig
from hf_resnet.config.written import as_dict, with_homes

__all__ = [
    "Backend",
    "BenchmarkConfig",
    "BenchmarkSubject",
    "CheckDataConfig",
    "ComputeConfig",
    "DataConfig",
    "DegradeConfig",
    "DemoConfig",
    "DeploySpaceConfig",
    "ExplainConfig",
    "ExportConfig",
    "ExportFormat",
    "FinetuneConfig",
    "Hardware",
    "HeadConfig",
    "HubConfig",
    "LabConfig",
    "LayersConfig",
    "MeasureConfig",
    "Method",
    "ModelConfig",
    "OnBadImage",
    "PageLanguage",
    "PredictConfig",
    "PreprocessConfig",
    "PushConfig",
    "PushDataConfig",
    "RelabelConfig",
    "ServeConfig",
    "TrainConfig",
    "as_dict",
    "bytes_of",
    "with_homes",
]
