"""hf-resnet finetune: photos in, a measured model folder out."""

import contextlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console

from hf_resnet.app.examples import write_examples
from hf_resnet.backbones.reference import resolve
from hf_resnet.checks.cheap import warnings
from hf_resnet.classifier import Classifier, check_output, new_model_folder, open_classifier
from hf_resnet.commands import made, unfinished
from hf_resnet.commands.processes import start, together
from hf_resnet.commands.push import push, show
from hf_resnet.commands.recipe import write_recipe
from hf_resnet.config import (
    ComputeConfig,
    FinetuneConfig,
    ModelConfig,
    PreprocessConfig,
    as_dict,
)
from hf_resnet.data import SPLITS_FILE, Data, Split, load_data
from hf_resnet.errors import ConfigError, DataError, ModelError, listed
from hf_resnet.evaluation.judge import judge
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.measured import CHOSEN_ON, Measured
from hf_resnet.evaluation.report import table, write_report
from hf_resnet.hub.backup import Backup
from hf_resnet.hub.pending import Wanted
from hf_resnet.hub.repository import check_sayable
from hf_resnet.screen import screen
from hf_resnet.training.budget import planned
from hf_resnet.training.choice import choose, without_effect
from hf_resnet.training.head import Trained, train_head
from hf_resnet.training.network import train_network
from hf_resnet.training.optimiser import keeps_statistics, knows_nothing
from hf_resnet.training.setting import Setting

MOST_BAD = 10


def run(config: FinetuneConfig) -> None:
    """Read the data, train, measure, save; under `accelerate launch` on all processes."""
    check_output(config.output_dir, overwrite=config.overwrite_output_dir)
    _check_apart(config)
    if config.hub.push_to_hub:
        check_sayable(unfinished.repository_of(config), config.hub.hub_token)
    accelerator = _started(config)
    console = screen(quiet=not accelerator.is_main_process)
    backup = unfinished.backup_of(config, console.print)
    with together(), contextlib.ExitStack() as held:
        saved = _saved(config, (accelerator, console, held), backup)
    accelerator.end_training()  # the other processes need not wait for an upload
    if saved and config.hub.push_to_hub and accelerator.is_main_process:
        folder = Path(config.output_dir)
        wanted = Wanted(unfinished.repository_of(config), config.hub.hub_private_repo)
        published = push(folder, wanted, console, token=config.hub.hub_token)
        show(published, folder, console)
        if backup is not None:
            backup.forget()


def _saved(
    config: FinetuneConfig,
    place: tuple[Accelerator, Console, contextlib.ExitStack],
    backup: Backup | None,
) -> bool:
    """Whether there is a model folder in the end; not where the run was asked to stop."""
    accelerator, console, _ = place
    data = load_data(config.data, remembered=_earlier(config))
    _tell_data(console, data)
    if data.train is None:
        raise DataError(f"{data.source} has no training pictures; name them with --train_dir")
    opened = with_preprocess(open_classifier(config.model), config.preprocess)
    for note in _forgotten(config, opened, data):
        console.print(f"  {note}")
    fitted = train_head(
        opened,
        data,
        config.head,
        config.compute,
        on_bad_image=config.data.on_bad_image,
        seed=config.seed,
        accelerator=accelerator,
    )
    trained = _network_trained(config, data, fitted, place, backup)
    if trained is None:
        return False
    judged = data.test or data.validation or data.train
    store = config.head if trained is fitted else None  # the network is the one that was opened
    measured = measure(trained.classifier, judged, config.compute, accelerator, head=store)
    measured = measured.knowing({key for key, _ in data.train.entries()})
    if trained is not fitted and judged is data.validation:
        measured = replace(measured, notes=(*measured.notes, CHOSEN_ON))
    if measured.bad and config.data.on_bad_image == "fail":
        first = measured.bad[0]
        raise DataError(
            f"{first.origin}: {first.reason}; mend or remove the file, or use --on_bad_image skip"
        )
    console.print(table(measured))
    problems: tuple[str, ...] = ()
    if accelerator.is_main_process:
        problems = _save(config, data, trained, measured, judged)
        if trained is not fitted:
            unfinished.clear(unfinished.folder_of(config))
    accelerator.wait_for_everyone()
    _tell_result(console, config, trained, problems)
    return True


def _forgotten(config: FinetuneConfig, opened: Classifier, data: Data) -> Iterator[str]:
    """Classes that a model of ours knows and the new one will not, where it seems not to be meant."""
    known, learned = set(opened.labels), set(data.labels)
    if opened.facts.training and known & learned and known - learned:
        lost = listed(sorted(known - learned))
        yield (
            f"{config.model.model_name_or_path} knows {lost} as well, and the new model will not, for "
            "no picture here is of that; to keep what it knows, learn from the pictures that it was "
            f"taught with, and from these as --more_data {data.source}"
        )


def _check_apart(config: FinetuneConfig) -> None:
    """Stop where the model, its report and its checkpoints would be taken for a class of pictures."""
    place = Path(config.output_dir).resolve()
    for flag in ("train_dir", "validation_dir", "test_dir", "more_data"):
        folder = getattr(config.data, flag)
        if folder and Path(folder).resolve() in (place, *place.parents):
            raise ConfigError(
                f"--output_dir {config.output_dir} lies in --{flag} {folder}, where the pictures in "
                "it would be taken for a class; name a folder elsewhere"
            )


def _started(config: FinetuneConfig) -> Accelerator:
    if not config.train.with_tracking:
        return start()
    folder = unfinished.folder_of(config).with_suffix(".tracking")
    accelerator = start(trackers=config.train.report_to, folder=folder)
    told = {
        name: each for name, each in as_dict(config).items() if isinstance(each, str | int | float)
    }
    accelerator.init_trackers(Path(config.output_dir).name, config=told)
    return accelerator


def _network_trained(
    config: FinetuneConfig,
    data: Data,
    fitted: Trained,
    place: tuple[Accelerator, Console, contextlib.ExitStack],
    backup: Backup | None,
) -> Trained | None:
    """The classifier with its network trained too, where the method is more than a head; None where
    the run was asked to stop."""
    accelerator, console, held = place
    count_K = np.bincount(fitted.learned.label_N, minlength=len(data.labels))
    untrained = knows_nothing(fitted.classifier.network)
    processes = accelerator.num_processes
    choice = choose(config.method, config.train, count_K, untrained=untrained, processes=processes)
    console.print(f"method: {choice.method} ({choice.why})")
    for note in without_effect(config.train, choice.method, accelerator.device.type):
        console.print(f"  {note}")
    if choice.method == "head":
        return fitted
    begun = unfinished.begun(config)
    plan = planned(choice, fitted.classifier, config.compute, accelerator, begun)
    console.print(plan.table)
    if plan.choice.method == "head":
        console.print("method: head (no more than that fits --memory_budget)")
        return fitted
    assert data.train is not None  # noqa: S101  a head was fitted on it
    main = accelerator.is_main_process
    folder = held.enter_context(unfinished.claimed(config, main=main))
    frozen = keeps_statistics(fitted.classifier.network, plan.choice.config)
    judge = partial(_judged, data, plan.compute, accelerator) if data.validation else None
    with unfinished.kept_elsewhere(config, backup, main=main) as elsewhere:
        accelerator.wait_for_everyone()
        setting = Setting(
            folder=folder,
            accelerator=accelerator,
            compute=plan.compute,
            seed=config.seed,
            identity=unfinished.identity(config, plan.choice, data, accelerator, frozen=frozen),
            judge=judge,
            tell=console.print,
            begin=partial(unfinished.keep_what_it_is, config, plan, folder) if main else _nothing,
            cache=unfinished.picture_cache(config, fitted.classifier.preprocess.size),
            elsewhere=elsewhere,
        )
        trained = train_network(fitted, data.train, plan.choice, setting)
    if trained is None:
        console.print(f"stopped and saved; to go on:\n  {unfinished.command(folder, accelerator)}")
    return trained


def _nothing() -> None:
    """What the other processes do where the main one writes."""


def _judged(
    data: Data, compute: ComputeConfig, accelerator: Accelerator, classifier: Classifier
) -> dict[str, float]:
    assert data.validation is not None  # noqa: S101  there is a judge only where there are such
    return judge(classifier, data.validation, compute, accelerator)


def _tell_result(
    console: Console,
    config: FinetuneConfig,
    trained: Trained,
    problems: tuple[str, ...],
) -> None:
    for bad in trained.bad[:MOST_BAD]:
        console.print(f"not learned from: {bad.origin}: {bad.reason}")
    if len(trained.bad) > MOST_BAD:
        console.print(f"... and {len(trained.bad) - MOST_BAD:,} more, listed in hf_resnet.json")
    for problem in problems:
        console.print(problem)
    sheet = Path(config.output_dir) / "report" / "contact_sheet.png"
    console.print(f"\nright and wrong answers: {sheet}")
    console.print(f"saved in {config.output_dir}; try it:")
    console.print(f"  hf-resnet predict {shlex.quote(config.output_dir)} PICTURES")


def with_preprocess(classifier: Classifier, config: PreprocessConfig) -> Classifier:
    """The classifier with the preprocess changes that were asked for."""
    if config == PreprocessConfig():
        return classifier
    changed = classifier.preprocess.with_changes(
        image_size=config.image_size, mode=config.preprocess_mode
    )
    own = classifier.preprocess.size
    with torch.no_grad():
        try:
            classifier.network(torch.zeros(1, 3, *changed.size))
        except (AssertionError, RuntimeError, ValueError) as exc:
            raise ModelError(
                f"this network does not take pictures of {changed.size[0]}x{changed.size[1]} pixels; "
                f"it was made for {own[0]}x{own[1]}, so leave out --image_size or take another"
            ) from exc
    return replace(classifier, preprocess=changed)


def _earlier(config: FinetuneConfig) -> Path | None:
    """The folder that may know how the pictures were split before: the output's, else the model's."""
    if (Path(config.output_dir) / SPLITS_FILE).is_file():
        return Path(config.output_dir)
    folder = resolve(config.model).folder  # that of a model of the Hub as well
    return folder if folder and (folder / SPLITS_FILE).is_file() else None


def _tell_data(console: Console, data: Data) -> None:
    sizes = [f"{split.name} {_size(split)}" for split in data.splits()]
    console.print(f"{data.source}: {len(data.labels):,} classes; {', '.join(sizes)}")
    for note in (*data.notes, *warnings(data)):
        console.print(f"  {note}")


def _size(split: Split) -> str:
    return "as it comes" if split.size is None else f"{split.size:,}"


def _save(
    config: FinetuneConfig, data: Data, trained: Trained, measured: Measured, judged: Split
) -> tuple[str, ...]:
    """Write the model folder; what a person should know of its pictures."""
    record = data.split_record()
    facts = trained.classifier.facts.with_(
        data={
            "source": data.source,
            "fingerprint": record["fingerprint"],
            "seed": data.seed,
            "notes": list(data.notes),
            "bad_pictures": [{"origin": b.origin, "reason": b.reason} for b in trained.bad],
        },
        results=measured.to_json(),
    )
    with new_model_folder(config.output_dir, overwrite=config.overwrite_output_dir) as place:
        replace(trained.classifier, facts=facts).write(place)
        write_recipe(config, place)
        (place / SPLITS_FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")
        command = made.command_of("finetune", config, _usual())
        about = made.about(config.output_dir, command, config.compute, trained.classifier)
        problems = write_report(measured, judged, place / "report", about, trained.classifier)
        unseen = data.test or data.validation  # never those it learned from
        if config.save_examples and unseen:
            write_examples(unseen, data.labels.names, place, config.save_examples)
        if trained.facts["method"] != "head":
            unfinished.keep_log(unfinished.folder_of(config), place / "report")
    return problems


def _usual() -> FinetuneConfig:
    """A config in which nothing was asked for."""
    return FinetuneConfig(model=ModelConfig(model_name_or_path=""), output_dir="")
