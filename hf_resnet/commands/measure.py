"""hf-resnet measure: how good a classifier is, on pictures with known classes.

The surprise: without a data set named, the pictures are those that the model was made with, split as
they were then; and whatever else is said of the data (limits, columns) is said of those.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path

from accelerate import Accelerator

from hf_resnet.backbones.reference import resolve
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.commands import made
from hf_resnet.commands.kept import folder_to_keep_in, rewritten, told_in_the_facts
from hf_resnet.commands.processes import start
from hf_resnet.commands.recipe import data_of
from hf_resnet.config import DataConfig, MeasureConfig, ModelConfig
from hf_resnet.data import Data, Split, load_data, pictures, read_record
from hf_resnet.data.metadata import column_of
from hf_resnet.engine import Answering, open_fastest
from hf_resnet.errors import ConfigError, DataError, HubError, LabelError, listed
from hf_resnet.evaluation.answers import answers
from hf_resnet.evaluation.comparison import by_column, compared
from hf_resnet.evaluation.fitting import fitted, kept_fits, with_measured
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.measure import measured as measured_of
from hf_resnet.evaluation.measured import CHOSEN_ON, Measured
from hf_resnet.evaluation.outside import outside_of
from hf_resnet.evaluation.page import About
from hf_resnet.evaluation.report import table, write_report
from hf_resnet.evaluation.robustness import robustness_of
from hf_resnet.evaluation.studies import Studies
from hf_resnet.facts import stored_facts
from hf_resnet.screen import one_line, screen

SOURCES = (
    "dataset_name",
    *(f"{role}_{kind}" for role in ("train", "validation", "test") for kind in ("dir", "file")),
)
"""The flags that name pictures; all others only say how they are to be read."""

FITTED_HERE = (
    "what was fitted was fitted on these very pictures, so what is told of it is a little too good; "
    "--test_dir names others to measure on"
)


@dataclass(frozen=True, eq=False)
class _Beside:
    """What is wanted beside the pictures and the model."""

    values: list[str]
    """The column --by, for each row of the split."""

    other: Classifier | None
    """The model of --compare,"""

    learned: frozenset[str]
    """the keys of the pictures that this model or the other was taught with,"""

    strangers: Split | None
    """and the pictures of --outside."""


def run(config: MeasureConfig) -> None:
    """Open the model, fit what is to be fitted, measure, show the table and write the report."""
    accelerator = start()
    console = screen(quiet=not accelerator.is_main_process)
    keeps = folder_to_keep_in(config) if config.fits else None  # before anything is fetched
    folder = resolve(config.model).folder
    named, taught = _named(config, folder)
    data = _data(config, named, taught or folder)
    split = _chosen(data, config)
    learned = read_record(folder).learned
    beside = _beside(config, split, named, learned)
    model = _opened(config)
    found: Studies = Studies()
    try:
        if config.fits and isinstance(model, Classifier):
            model, found = fitted(model, data, learned, config, accelerator)
        measured = _measured(config, model, split, beside, _known(model, found), accelerator)
    except LabelError as exc:
        if taught in (None, folder):
            raise
        raise LabelError(_other_classes(folder, taught, exc)) from exc
    measured = _with_notes(measured, config, folder).knowing(learned)
    console.print(table(measured))
    report, classifier = _report_folder(config), model if isinstance(model, Classifier) else None
    problems: tuple[str, ...] = ()
    if accelerator.is_main_process and keeps and classifier:
        rewritten(keeps, classifier, measured, found, is_own=_is_own(config))
    if accelerator.is_main_process and report:
        about = _about(config, model)
        with _with_the_facts(config, measured):
            problems = write_report(measured, split, report, about, classifier)
    accelerator.wait_for_everyone()
    for line in (*data.notes, *problems):
        console.print(one_line(line))
    if keeps:
        console.print(f"\nkept in {keeps}: {listed(_kept(found))}")
    if report:
        console.print(f"\nwritten to {report}: index.html, metrics.json and the pictures")


def _opened(config: MeasureConfig) -> Classifier | Answering:
    if config.backend == "torch":
        return open_classifier(config.model)
    return open_fastest(config.model, config.compute, config.backend)


def _measured(
    config: MeasureConfig,
    model: Classifier | Answering,
    split: Split,
    beside: _Beside,
    found: Studies,
    accelerator: Accelerator,
) -> Measured:
    """The figures, and whatever else was asked for."""
    number_of = model_numbers(split.labels, model.labels)
    answered = answers(model, split, config.compute, accelerator).numbered(number_of)
    figures = measured_of(answered, number_of, model.labels, split.name)
    studies = with_measured(found, answered)
    if beside.other and config.compare:
        theirs = measure(beside.other, split, config.compute, accelerator)
        comparison = compared(figures, theirs, config.compare, beside.learned)
        studies = replace(studies, comparison=comparison)
    if config.by:
        groups = by_column(figures, answered.number_N, beside.values, config.by)
        studies = replace(studies, by=groups)
    if beside.strangers and config.outside:
        inside = (config.outside, answered.logits_NK)
        outside = outside_of(model, beside.strangers, inside, config.compute, accelerator)
        studies = replace(studies, outside=outside)
    if config.robustness:
        how = (number_of, config.robustness_samples)
        robust = robustness_of(model, split, answered, how, config.compute, accelerator)
        studies = replace(studies, robustness=robust)
    return replace(figures, studies=studies)


def _beside(
    config: MeasureConfig, split: Split, named: DataConfig, learned: frozenset[str]
) -> _Beside:
    """All that may be refused, looked for before the long work."""
    other, theirs = _other(config, split, learned) if config.compare else (None, frozenset())
    return _Beside(
        values=column_of(named, split, config.by) if config.by else [],
        other=other,
        learned=learned | theirs,
        strangers=pictures([config.outside]) if config.outside else None,
    )


def _other(
    config: MeasureConfig, split: Split, learned: frozenset[str]
) -> tuple[Classifier, frozenset[str]]:
    """The model to compare with, and what it has learned from; ConfigError where it does not know the
    classes of the pictures, or nothing is left to compare on."""
    named = replace(config.model, model_name_or_path=str(config.compare), model_revision=None)
    theirs = read_record(resolve(named).folder).learned
    known = learned | theirs
    if known and split.size is not None and all(key in known for key, _ in split.entries()):
        raise ConfigError(
            f"--compare {config.compare}: one of the two models has learned from each of these "
            "pictures, so that they say nothing of which is better; --test_dir names others"
        )
    other = open_classifier(named)
    try:
        model_numbers(split.labels, other.labels)
    except LabelError as exc:
        raise ConfigError(f"--compare {config.compare} is of other classes: {exc}") from exc
    return other, theirs


def _known(model: Classifier | Answering, found: Studies) -> Studies:
    """What was fitted now, and of what was fitted before all that still holds."""
    if not isinstance(model, Classifier) or found.calibration:
        return found  # earlier thresholds are of other probabilities
    before = kept_fits(model.facts.results)
    return Studies(
        calibration=before.calibration,
        abstain=found.abstain or before.abstain,
        conformal=found.conformal or before.conformal,
    )


def _with_notes(measured: Measured, config: MeasureConfig, folder: Path | None) -> Measured:
    """What was chosen on the model's own validation pictures is told where those are measured on."""
    studies = measured.studies
    fits = [each for each in (studies.calibration, studies.abstain, studies.conformal) if each]
    are_its_own = not any(getattr(config.data, flag) for flag in SOURCES)
    notes = []
    if (are_its_own or config.fits) and any(each.split == measured.split for each in fits):
        notes.append(FITTED_HERE)
    if are_its_own and measured.split == "validation" and folder and _has_epochs(folder):
        notes.append(CHOSEN_ON)
    return replace(measured, notes=(*measured.notes, *notes))


def _has_epochs(folder: Path) -> bool:
    training = stored_facts(folder).get("training")
    return isinstance(training, dict) and training.get("method", "head") != "head"


def _with_the_facts(config: MeasureConfig, measured: Measured) -> AbstractContextManager[None]:
    """The report of the model folder and its facts tell of one measurement."""
    if config.fits or config.output_dir or not _report_folder(config):
        return nullcontext()
    return told_in_the_facts(Path(config.model.model_name_or_path), measured)


def _kept(found: Studies) -> list[str]:
    names = {"calibration": "the temperature", "abstain": "when not to answer"}
    names |= {"conformal": "the probability from which on a class is named"}
    return [words for name, words in names.items() if getattr(found, name)]


def _about(config: MeasureConfig, model: Classifier | Answering) -> About:
    """The exact command, and what it was carried out with."""
    usual = MeasureConfig(model=ModelConfig(model_name_or_path=""))
    command = made.command_of("measure", config, usual)
    name, compute = config.model.model_name_or_path, config.compute
    if isinstance(model, Answering):
        return made.about(name, command, compute, None, model.backend)
    return made.about(name, command, compute, model)


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
    if not _is_to_be_had(config, own):
        raise DataError(
            f"say what to measure on: {config.model.model_name_or_path} was taught with pictures of the "
            "machine that it comes from; give --dataset_name, --train_dir or --train_file"
        )
    defaults = DataConfig()
    said = {each.name: getattr(config.data, each.name) for each in fields(DataConfig)}
    changes = {name: value for name, value in said.items() if value != getattr(defaults, name)}
    return replace(own, **changes), taught


def _is_to_be_had(config: MeasureConfig, own: DataConfig) -> bool:
    """Whether a recipe names what is the same on every machine; that of a folder may name what is here,
    that of a model of the Hub may not, since another folder here may be called the same."""
    if Path(config.model.model_name_or_path).is_dir():
        return True
    named = [flag for flag in SOURCES if getattr(own, flag)]
    return named == ["dataset_name"] and not Path(str(own.dataset_name)).expanduser().exists()


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


def _is_own(config: MeasureConfig) -> bool:
    """Whether it is measured on its own held-out pictures, all of them, as it is."""
    folder = Path(config.model.model_name_or_path)
    return folder.is_dir() and config.data == DataConfig() and config.split is None


def _report_folder(config: MeasureConfig) -> str | None:
    """The model's own report stays that of its own held-out pictures."""
    own = _is_own(config) and config.backend == "torch"
    return config.output_dir or (
        str(Path(config.model.model_name_or_path) / "report") if own else None
    )


def _other_classes(folder: Path | None, taught: Path | None, exc: LabelError) -> str:
    why, _, _ = str(exc).partition(";")
    return (
        f"{folder} was made from {taught}, and has other classes than the pictures that one was "
        f"taught with ({why}); name pictures of the classes it has now with --train_dir or --train_file"
    )
