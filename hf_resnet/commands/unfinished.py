"""The folder of a run that is not finished: OUTPUT.training, beside the model folder it will write.

It holds checkpoints, the log, the curve and the recipe that goes on with the run, and is taken away
when the model is saved. What a person may have put there is left alone.
"""

import contextlib
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from filelock import FileLock, Timeout

from hf_resnet.commands.recipe import RECIPE_FILE, write_recipe
from hf_resnet.config import FinetuneConfig
from hf_resnet.data import Data
from hf_resnet.data.picture_cache import SHORT_SIDE, PictureCache
from hf_resnet.errors import ConfigError, listed
from hf_resnet.head.store import cache_folder
from hf_resnet.hub.backup import ASIDE, Backup
from hf_resnet.training.budget import PLAN_FILE, Planned, keep
from hf_resnet.training.choice import Choice
from hf_resnet.training.log import CURVE_FILE, LOG_FILE
from hf_resnet.training.setting import Elsewhere
from hf_resnet.writing import on_disk

LOCK_FILE = ".lock"
_ADVICE = "make room, or name another --output_dir; checkpoints that are there stay"
_OWN = (
    "step-*",
    ".step-*.part",
    LOG_FILE,
    f".{LOG_FILE}.part",
    CURVE_FILE,
    PLAN_FILE,
    ASIDE,
    f".{CURVE_FILE}",
    f".{RECIPE_FILE}.part",
)
_FREE_TO_CHANGE = (
    *("checkpointing_steps", "save_total_limit", "resume_from_checkpoint", "restart"),
    *("with_tracking", "report_to", "memory_budget"),
    # the step's pictures are compared as a whole, however they are shared out
    *("per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing"),
)


def folder_of(config: FinetuneConfig) -> Path:
    """Where the run keeps what it needs to go on."""
    place = Path(config.output_dir).expanduser().resolve()
    return place.with_name(f"{place.name}.training")


@contextmanager
def claimed(config: FinetuneConfig, *, main: bool) -> Iterator[Path]:
    """The folder, for this run alone and empty under --restart; the main process makes it."""
    folder = folder_of(config)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, and checkpoints go there; move it away")
    if not main:
        yield folder
        return
    foreign = [path.name for path in _entries(folder) if not _is_own(path)]
    if foreign:
        raise ConfigError(
            f"{folder} holds what is not of a run of training: {listed(foreign, most=5)}; move it "
            "away, or name another --output_dir"
        )
    with on_disk(f"what a run keeps in {folder}", _ADVICE):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK_FILE, timeout=0):
            if config.train.restart:
                _empty(folder)
            yield folder
    except Timeout as exc:
        raise ConfigError(
            f"another run is learning in {folder}; wait for it, or name another --output_dir"
        ) from exc


def begun(config: FinetuneConfig) -> Path | None:
    """The folder of this run where it has checkpoints to go on from."""
    folder = folder_of(config)
    is_begun = not config.train.restart and any(folder.glob("step-*"))
    return folder if is_begun else None


def keep_what_it_is(config: FinetuneConfig, plan: Planned, folder: Path) -> None:
    """The plan, and the recipe that goes on with the run, from wherever it is given."""
    train = replace(config.train, restart=False, resume_from_checkpoint=None)
    place = str(Path(config.output_dir).expanduser().resolve())
    with on_disk(f"the recipe in {folder}", _ADVICE):
        keep(plan, folder)
        write_recipe(replace(config, train=train, output_dir=place), folder)


def clear(folder: Path) -> None:
    """Take away what a finished run has left."""
    _empty(folder)
    if not folder.is_symlink():
        with contextlib.suppress(OSError):  # something has come into it meanwhile
            folder.rmdir()


def _empty(folder: Path) -> None:
    """Checkpoints go first, the oldest before the newest: while one is there, its log is too."""
    for path in sorted(_entries(folder), key=lambda each: (not each.is_dir(), each.name)):
        if path.is_dir() and _is_own(path):
            shutil.rmtree(path)
        elif _is_own(path):
            path.unlink()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_own(path: Path) -> bool:
    """What a run writes; a link is never of it, wherever it leads."""
    if path.is_symlink():
        return False
    return path.name in (RECIPE_FILE, LOCK_FILE) or any(path.match(own) for own in _OWN)


def keep_log(folder: Path, report: Path) -> None:
    """Put the log and the curve of a finished run into the model's report."""
    report.mkdir(exist_ok=True)
    for name in (LOG_FILE, CURVE_FILE):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, report / name)


def command(folder: Path, accelerator: Accelerator) -> str:
    """What to type to go on."""
    recipe = f"--config {shlex.quote(str(folder / RECIPE_FILE))}"
    if accelerator.num_processes == 1:
        return f"hf-resnet finetune {recipe}"
    many = "" if accelerator.device.type != "cpu" else "--multi_gpu "
    return (
        f"accelerate launch {many}--num_processes {accelerator.num_processes} "
        f"scripts/finetune.py {recipe}"
    )


def identity(
    config: FinetuneConfig, choice: Choice, data: Data, accelerator: Accelerator, *, frozen: bool
) -> dict[str, Any]:
    """What decides every step: a run is gone on with only where all of this is as it was. Norms that
    keep no statistics see the pictures of a batch, so that its size decides too."""
    batch = choice.config.per_device_train_batch_size
    train = {
        name: value for name, value in asdict(choice.config).items() if name not in _FREE_TO_CHANGE
    }
    return {
        "model": _model(config.model.model_name_or_path),
        "model_revision": config.model.model_revision,
        "data": data.fingerprint(),
        "method": choice.method,
        "batch_norms": "frozen" if frozen else f"learning from {batch} at once",
        "pictures_a_step": batch
        * choice.config.gradient_accumulation_steps
        * accelerator.num_processes,
        "seed": config.seed,
        "precision": config.compute.precision,
        **asdict(config.preprocess),
        "class_weight": config.head.class_weight,
        **train,
    }


def _model(name: str) -> str:
    """A folder without those above it: it may lie elsewhere on the machine that goes on."""
    folder = Path(name).expanduser()
    return folder.resolve().name if folder.is_dir() else name


def repository_of(config: FinetuneConfig) -> str:
    """Where on the Hub the model goes."""
    return config.hub.hub_model_id or Path(config.output_dir).resolve().name


def backup_of(config: FinetuneConfig, tell: Callable[[str], None]) -> Backup | None:
    """The Hub's copy of the checkpoints, if one is wanted, or gone on from."""
    hub = config.hub
    if hub.push_every is None and config.train.resume_from_checkpoint != "hub":
        return None
    folder, private = folder_of(config), hub.hub_private_repo
    return Backup(repository_of(config), folder, tell, private=private, token=hub.hub_token)


@contextmanager
def kept_elsewhere(
    config: FinetuneConfig, backup: Backup | None, *, main: bool
) -> Iterator[Elsewhere | None]:
    """What keeps checkpoints on the Hub too, if that is wanted; in the end it waits for the last."""
    if backup and main and config.train.resume_from_checkpoint == "hub":
        backup.fetch()
    if backup is None or config.hub.push_every is None:
        yield None
        return
    if not main:
        yield Elsewhere(config.hub.push_every, lambda _: None)
        return
    try:
        yield Elsewhere(config.hub.push_every, backup.keep)
    finally:
        backup.close()


def picture_cache(config: FinetuneConfig, size: tuple[int, int]) -> PictureCache | None:
    """Where decoded pictures are kept, if they are: none smaller than what the network sees."""
    if not config.train.cache_images:
        return None
    folder = cache_folder(config.head.feature_cache_dir).with_name("pictures")
    return PictureCache(folder, max(SHORT_SIDE, *size))
