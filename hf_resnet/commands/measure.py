"""hf-resnet measure: how good a classifier is, on pictures with known classes.

The surprise: without a data set named, the pictures are those that the model was made with, split as
they were then; and whatever else is said of the data (limits, columns) is said of those.
"""

from dataclasses import fields, replace
from pathlib import Path

from hf_resnet.backbones.reference import resolve
from hf_resnet.classifier import open_classifier
from hf_resnet.commands.processes import start
from hf_resnet.commands.recipe import data_of
from hf_resnet.config import DataConfig, MeasureConfig
from hf_resnet.data import Data, Split, load_data, read_record
from hf_resnet.errors import DataError, HubError, LabelError
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.report import table, write_report
from hf_resnet.screen import one_line, screen

SOURCES = (
    "dataset_name",
    *(f"{role}_{kind}" for role in ("train", "validation", "test") for kind in ("dir", "file")),
)
"""The flags that name pictures; all others only say how they are to be read."""


def run(config: MeasureConfig) -> None:
    """Open the model, measure it, show the table and write the report."""
    accelerator = start()
    console = screen(quiet=not accelerator.is_main_process)
    folder = resolve(config.model).folder
    named, taught = _named(config, folder)
    data = _data(config, named, taught or folder)
    split = _chosen(data, config)
    classifier = open_classifier(config.model)
    try:
        measured = measure(classifier, split, config.compute, accelerator)
    except LabelError as exc:
        if taught in (None, folder):
            raise
        raise LabelError(_other_classes(folder, taught, exc)) from exc
    measured = measured.knowing(read_record(folder).learned)
    console.print(table(measured))
    problems: tuple[str, ...] = ()
    report = _report_folder(config)
    if accelerator.is_main_process and report:
        problems = write_report(measured, split, report)
    accelerator.wait_for_everyone()
    for line in (*data.notes, *problems):
        console.print(one_line(line))
    if report:
        console.print(f"\nwritten to {report}: metrics.json, contact_sheet.png, confusion.png")


def split_of(config: MeasureConfig) -> Split:
    """The pictures that the config means: those named, or those that the model was made with."""
    folder = resolve(config.model).folder
    named, taught = _named(config, folder)
    return _chosen(_data(config, named, taught or folder), config)


def _named(config: MeasureConfig, folder: Path | None) -> tuple[DataConfig, Path | None]:
    """The data to measure on, and where it is that of a model's training, the folder of that model."""
    if any(getattr(config.data, flag) for flag in SOURCES):
        return config.data, None
    known = data_of(folder) if folder else None
    if known is None:
        raise DataError(
            f"say what to measure on: {config.model.model_name_or_path} does not know its training "
            "data; give --dataset_name, --train_dir or --train_file"
        )
    own, taught = known
    defaults = DataConfig()
    said = {each.name: getattr(config.data, each.name) for each in fields(DataConfig)}
    changes = {name: value for name, value in said.items() if value != getattr(defaults, name)}
    return replace(own, **changes), taught


def _data(config: MeasureConfig, named: DataConfig, remembered: Path | None) -> Data:
    """What was named is taken whole; the model's own pictures are split as they were then."""
    if any(getattr(config.data, flag) for flag in SOURCES):
        return load_data(named, remembered=remembered, make_validation=config.split == "validation")
    try:
        return load_data(named, remembered=remembered)
    except (DataError, HubError) as exc:
        raise type(exc)(
            f"the pictures that {remembered} was taught with are not to be had: {exc}; name others "
            "with --dataset_name, --train_dir or --train_file"
        ) from exc


def _chosen(data: Data, config: MeasureConfig) -> Split:
    by_name = {split.name: split for split in data.splits()}
    wanted = (config.split,) if config.split else ("test", "validation", "train")
    for name in wanted:
        if name in by_name:
            return by_name[name]
    raise DataError(f"{data.source} has no split {wanted[0]}; it has {', '.join(by_name)}")


def _report_folder(config: MeasureConfig) -> str | None:
    """The model's own report stays that of its own held-out pictures."""
    folder = Path(config.model.model_name_or_path)
    own = folder.is_dir() and config.data == DataConfig() and config.split is None
    return config.output_dir or (str(folder / "report") if own else None)


def _other_classes(folder: Path | None, taught: Path | None, exc: LabelError) -> str:
    why, _, _ = str(exc).partition(";")
    return (
        f"{folder} was made from {taught}, and has other classes than the pictures that one was "
        f"taught with ({why}); name pictures of the classes it has now with --train_dir or --train_file"
    )
