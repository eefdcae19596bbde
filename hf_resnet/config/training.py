"""How the network itself is trained."""

from dataclasses import dataclass
from typing import Literal

from hf_resnet.config.limits import bytes_of, steps_or_epoch, within
from hf_resnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the network itself is trained, by last_stage, full and auto."""

    per_device_train_batch_size: int = 32
    """Pictures that a process learns from at once."""

    gradient_accumulation_steps: int = 1
    """Such batches that make one step of the optimiser."""

    num_train_epochs: float | None = None
    """Times that every picture is learned from (default: by the number of pictures; see README)."""

    max_train_steps: int | None = None
    """Stop after this many steps; the schedule of the rate ends there too."""

    learning_rate: float | None = None
    """Rate of the head and the highest stage (default: by the number of pictures; see README)."""

    layer_decay: float | None = None
    """Each lower stage of the network learns at this share of the rate above it (default: 0.7; 1 for
    a network that knows nothing yet)."""

    optim: Literal["sgd", "adamw"] = "sgd"
    """The optimiser; sgd with Nesterov momentum 0.9."""

    weight_decay: float = 1e-4
    """Pull of the weights towards 0 (norms and biases are left alone)."""

    l2_sp: float = 0.0
    """Pull of the network's weights towards what they were before training."""

    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """How the rate goes over the steps."""

    num_warmup_steps: int | None = None
    """Steps over which the rate rises from 0 (default: a tenth of all; none for constant)."""

    max_grad_norm: float = 1.0
    """Longer gradients are shortened to this."""

    label_smoothing_factor: float = 0.0
    """Share of the truth that is spread over all classes."""

    mixup: float = 0.0
    """Mix pairs of pictures, with shares from Beta(mixup, mixup); 0 for none."""

    cutmix: float = 0.0
    """Paste a part of another picture, of a size from Beta(cutmix, cutmix); 0 for none."""

    min_crop_area: float = 0.35
    """The random part of a picture that is learned from has at least this share of its area."""

    random_flip: bool = True
    """Mirror every other picture from left to right."""

    color_jitter: float = 0.0
    """Change brightness, contrast and saturation at random by up to this share."""

    auto_augment: Literal["none", "randaugment", "trivialaugment"] = "none"
    """Further random changes of colour and shape."""

    random_erasing: float = 0.0
    """Probability with which a box of the picture is blanked."""

    balanced_sampling: bool = False
    """Draw each class alike often, instead of each picture once an epoch."""

    batch_norm: Literal["auto", "frozen", "train"] = "auto"
    """Whether batch-norms keep the statistics they came with; auto does so where they came with any
    and a process learns from fewer than 128 pictures at once."""

    ema_decay: float = 0.0
    """Average the weights over the steps, keeping this share each step (0.99), and use the average."""

    metric_for_best_model: Literal["accuracy", "macro_f1", "log_loss"] = "accuracy"
    """What decides, on the validation pictures, which epoch's network is kept."""

    early_stopping_patience: int | None = None
    """Stop after so many epochs without a better one."""

    progressive_resizing: bool = False
    """Begin with pictures of two thirds of the side and grow them to the full one: faster."""

    gradient_checkpointing: bool = False
    """Compute what is inside a stage twice rather than keep it: less memory, a third slower."""

    torch_compile: bool = False
    """Compile the network first; pays on a GPU, not on a CPU."""

    cache_images: bool = False
    """Keep every picture decoded and scaled down (short side 256 pixels, or what the network sees if
    that is more) on disk from the first epoch on, so that later ones decode nothing."""

    memory_budget: str | None = None
    """Memory the run may take, such as 4GB: batch, accumulation, gradient checkpointing and, last,
    the method are chosen to fit."""

    checkpointing_steps: str = "epoch"
    """Write a checkpoint every so many steps, or every epoch."""

    save_total_limit: int = 2
    """Checkpoints that are kept, the newest ones."""

    resume_from_checkpoint: str | None = None
    """A checkpoint folder to go on from, or the word hub: what --push_every kept there. On the same
    machine the same command again goes on by itself."""

    restart: bool = False
    """Begin anew where an unfinished run could be gone on with."""

    with_tracking: bool = False
    """Send figures to the trackers that are installed."""

    report_to: str = "all"
    """Which tracker: tensorboard, wandb, trackio or another that Accelerate knows."""

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            within(self, name, low, high)
        steps_or_epoch("checkpointing_steps", self.checkpointing_steps)
        if (self.resume_from_checkpoint or "").lower() in ("false", "none", "no"):
            raise ConfigError(
                "--resume_from_checkpoint is a checkpoint folder or the word hub, got "
                f"{self.resume_from_checkpoint!r}; --restart begins anew"
            )
        if self.memory_budget is not None:
            bytes_of(self.memory_budget)


_LIMITS = (
    ("per_device_train_batch_size", 1, 1 << 16),
    ("gradient_accumulation_steps", 1, 1 << 16),
    ("max_train_steps", 1, 1 << 40),
    ("save_total_limit", 1, 1 << 16),
    ("early_stopping_patience", 1, 1 << 16),
    ("num_warmup_steps", 0, 1 << 40),
    ("learning_rate", 0.0, 100.0),
    ("num_train_epochs", 0.01, 100_000.0),
    ("layer_decay", 0.0, 1.0),
    ("weight_decay", 0.0, 10.0),
    ("l2_sp", 0.0, 10.0),
    ("max_grad_norm", 0.0, 1e9),
    ("label_smoothing_factor", 0.0, 0.99),
    ("mixup", 0.0, 100.0),
    ("cutmix", 0.0, 100.0),
    ("min_crop_area", 0.01, 1.0),
    ("color_jitter", 0.0, 1.0),
    ("random_erasing", 0.0, 1.0),
    ("ema_decay", 0.0, 0.99999),
)
