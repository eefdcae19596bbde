"""hf-resnet check-data: what is wrong with pictures, shown, and a cleaned list of them.

The surprise: under `accelerate launch` one process does it all, and the others end at once.
"""

import os
import shlex
from pathlib import Path

from rich.console import Console

from hf_resnet.checks import clean as cleaning
from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.page import page
from hf_resnet.checks.report import JSON_FILE, PAGE_FILE, Report, as_text, checked, paths, table
from hf_resnet.checks.survey import Survey, survey
from hf_resnet.config import CheckDataConfig, HeadConfig, ModelConfig
from hf_resnet.config.check import DEFAULT_MODEL
from hf_resnet.data import Data, load_data
from hf_resnet.errors import DataError, HubError, ModelError, counted, listed
from hf_resnet.screen import one_line, screen
from hf_resnet.writing import on_disk, write_all


def run(config: CheckDataConfig) -> None:
    """Look at every picture, show what is wrong, write the report and the list."""
    if os.environ.get("RANK", "0") != "0":
        return
    console = screen()
    data = load_data(config.data, make_validation=False, every_class=False)
    for note in data.notes:
        console.print(one_line(note))
    if config.write_clean:
        cleaning.check_possible(data, Path(config.write_clean))
    looked = survey(data, workers=config.compute.dataloader_num_workers)
    looked, skipped = _with_network(looked, data, config)
    model = None if skipped else config.model_name_or_path
    report = checked(data.source, model, looked, skipped)
    console.print(table(report))
    folder = Path(config.output_dir)
    contents = {JSON_FILE: as_text(report), PAGE_FILE: page(report, data)}
    with on_disk(f"the findings in {folder}", "name another folder with --output_dir"):
        write_all(folder, contents)
    console.print(f"\nwritten: {paths(folder)}")
    if config.write_clean:
        _write_clean(report, Path(config.write_clean), console)
    if config.strict and report.serious:
        raise DataError(_refused(report))


def _with_network(looked: Survey, data: Data, config: CheckDataConfig) -> tuple[Survey, str | None]:
    """The survey with what the network saw in it; or without, and why."""
    if config.without_features:
        return looked, "--without_features"
    if not len(looked.good_M):
        return looked, "no picture can be used"
    from hf_resnet.checks.seen import see  # with torch, which a run without a network need not load
    from hf_resnet.classifier import open_classifier

    named = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    try:
        classifier = open_classifier(named)
    except (ModelError, HubError) as exc:
        if config.model_name_or_path != DEFAULT_MODEL:
            raise
        return looked, str(exc)
    head = HeadConfig(feature_cache_dir=config.feature_cache_dir)
    return see(looked, data, classifier, head, config.compute), None


def _write_clean(report: Report, path: Path, console: Console) -> None:
    kept = cleaning.clean(report.survey, report.found)
    if not kept.rows:
        raise DataError(f"no training picture is left, so {path} is not written; see the findings")
    cleaning.write(kept, path)
    taken = [
        f"{name.replace('_', ' ')} {count:,}" for name, count in kept.left_out.items() if count
    ]
    console.print(
        f"written: {path} with {counted(len(kept.rows), 'training picture')}; left out: "
        f"{listed(taken) or 'none'} (the files stay where they are)"
    )
    if kept.classes_gone:
        console.print(one_line(f"no picture is left of {listed(kept.classes_gone)}"))
    console.print(f"  hf-resnet finetune --train_file {shlex.quote(str(path))} ...")


def _refused(report: Report) -> str:
    found = [f"{CHECKS[name].title.lower()} ({n:,})" for name, n in report.serious.items()]
    return f"--strict: something serious was found: {listed(found)}; mend it and run again"
