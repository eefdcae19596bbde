"""hf-resnet measure: how good a classifier is, on pictures with known classes."""

import json
from pathlib import Path

from rich.console import Console

from hf_resnet.classifier import open_classifier
from hf_resnet.commands.processes import start
from hf_resnet.commands.recipe import data_of
from hf_resnet.config import DataConfig, MeasureConfig
from hf_resnet.data import SPLITS_FILE, Data, Split, load_data
from hf_resnet.errors import DataError
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.report import table, write_report


def run(config: MeasureConfig) -> None:
    """Open the model, measure it, show the table and write the report."""
    accelerator = start()
    console = Console(
        soft_wrap=True, highlight=False, markup=False, quiet=not accelerator.is_main_process
    )
    folder = Path(config.model.model_name_or_path)
    split = _chosen(_data(config, folder), config)
    classifier = open_classifier(config.model)
    measured = measure(classifier, split, config.compute, accelerator)
    measured = measured.knowing(_learned_from(folder))
    # the model's own report stays that of its own held-out pictures
    own = folder.is_dir() and config.data == DataConfig() and config.split is None
    report = config.output_dir or (str(folder / "report") if own else None)
    problems: tuple[str, ...] = ()
    if accelerator.is_main_process and report:
        problems = write_report(measured, split, report)
    accelerator.wait_for_everyone()
    console.print(table(measured))
    for problem in problems:
        console.print(problem, markup=False)
    if report:
        console.print(f"\nwritten to {report}: metrics.json, contact_sheet.png, confusion.png")


def _data(config: MeasureConfig, folder: Path) -> Data:
    """The data that was named, whole; without any, that of the training, split as it was then."""
    if config.data == DataConfig():
        own = data_of(folder)
        if own is None:
            raise DataError(
                f"say what to measure on: {folder} does not know its training data; "
                "give --dataset_name, --train_dir or --train_file"
            )
        return load_data(own, remembered=folder)
    return load_data(config.data, remembered=folder, make_validation=config.split == "validation")


def _chosen(data: Data, config: MeasureConfig) -> Split:
    by_name = {split.name: split for split in data.splits()}
    wanted = (config.split,) if config.split else ("test", "validation", "train")
    for name in wanted:
        if name in by_name:
            return by_name[name]
    raise DataError(f"{data.source} has no split {wanted[0]}; it has {', '.join(by_name)}")


def _learned_from(folder: Path) -> set[str]:
    """The keys of the pictures that the model was taught with, where its folder tells."""
    path = folder / SPLITS_FILE
    if not path.is_file():
        return set()
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["train"])
    except (ValueError, KeyError, TypeError) as exc:
        raise DataError(f"{path} is not as hf_resnet writes it; take it from its source") from exc
