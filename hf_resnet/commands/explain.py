"""hf-resnet explain: pictures from inside a network, as a PNG."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.commands.measure import split_of
from hf_resnet.config import ExplainConfig, MeasureConfig, ModelConfig
from hf_resnet.data import Split, pictures
from hf_resnet.errors import ConfigError, DataError, PictureError
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.measured import mistakes
from hf_resnet.explain import KINDS, Answer, Question, as_png, sheet
from hf_resnet.images import decode
from hf_resnet.screen import one_line, screen
from hf_resnet.writing import on_disk, write_all

MOST_PICTURES = 12


def run(config: ExplainConfig) -> None:
    """Ask the network about each picture, say what was found, and draw it."""
    kind = KINDS[config.kind]
    _check(config)
    output = Path(config.output or f"{config.kind}.png")
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    classifier = open_classifier(model)
    console = screen()
    answers: list[Answer] = []
    for question in _questions(config, model, classifier):
        answers.append(kind.ask(classifier, question))
        for line in answers[-1].lines:
            console.print(one_line(line))
    if not answers:
        console.print("no answer was wrong, so there is none to explain")
        return
    contents = _files(output, kind.TITLE, answers)
    with on_disk(f"--output {output}", "name another place"):
        write_all(output.parent, contents)
    for name in contents:
        console.print(f"written to {output.parent / name}")


def _check(config: ExplainConfig) -> None:
    """Stop before any work where something is missing or is not of this kind."""
    needs = KINDS[config.kind].NEEDS
    if "picture" in needs and not config.inputs and not config.wrong:
        raise ConfigError(f"--kind {config.kind} needs a picture: give a file behind the model")
    if "picture" not in needs and (config.inputs or config.wrong):
        raise ConfigError(
            f"--kind {config.kind} looks at no picture; leave out pictures and --wrong"
        )
    if config.inputs and config.wrong:
        raise ConfigError("give pictures, or --wrong to take them from the data, not both")
    if "class" in needs and not config.classes:
        raise ConfigError(f"--kind {config.kind} needs a class: --class zebra")
    idle = {
        "class": bool(config.classes) and config.kind not in ("gradcam", "ideal"),
        "layer": bool(config.layer) and config.kind not in ("gradcam", "features"),
        "target": config.target is not None and config.kind != "adversarial",
    }
    for flag, given in idle.items():
        if given:
            raise ConfigError(f"--kind {config.kind} has no use for --{flag}; leave it out")
    if config.output and Path(config.output).suffix.lower() != ".png":
        raise ConfigError(f"--output ends in .png; got {config.output}")
    if Path(config.output or f"{config.kind}.png").is_dir():
        raise ConfigError(f"--output {config.output} is a folder; name a file")


def _questions(
    config: ExplainConfig, model: ModelConfig, classifier: Classifier
) -> Iterator[Question]:
    """One for each picture; one without a picture where the kind looks at none."""
    kind = KINDS[config.kind]
    compared = None
    if "pictures to compare with" in kind.NEEDS:
        compared = split_of(MeasureConfig(model=model, data=config.data, split="train"))
    plain = Question(
        layers=config.layer,
        classes=config.classes,
        target=config.target,
        attack=config.attack,
        count=config.count,
        seed=config.seed,
        split=compared,
        compute=config.compute,
        feature_cache_dir=config.feature_cache_dir,
    )
    if "picture" not in kind.NEEDS:
        yield plain
    elif config.wrong:
        split = split_of(MeasureConfig(model=model, data=config.data, split=config.split))
        for name, picture, truth in _wrong(config, classifier, split):
            yield replace(plain, picture=picture, name=name, truth=truth)
    else:
        for name, picture in _given(config, Path(config.output or f"{config.kind}.png")):
            yield replace(plain, picture=picture, name=name)


def _given(config: ExplainConfig, output: Path) -> Iterator[tuple[str, Image.Image]]:
    """Name and picture of each that was named; none of them may be written over."""
    for number, row in enumerate(pictures(config.inputs).rows()):
        if number == MOST_PICTURES:
            raise ConfigError(
                f"one sheet holds at most {MOST_PICTURES} pictures, and there are more; name some of "
                "them"
            )
        if row.problem is not None:
            raise DataError(f"{row.origin}: {row.problem}; give a picture")
        if _would_take(output, Path(row.origin)):
            raise ConfigError(
                f"{row.origin} would be written over; name another place with --output"
            )
        try:
            picture = decode(row.data)
        except PictureError as exc:
            raise PictureError(f"{row.origin}: {exc}; give a picture") from exc
        yield Path(row.origin).name, picture


def _would_take(output: Path, given: Path) -> bool:
    """Whether the sheet, or a picture kept beside it, is to be written where this one lies."""
    stem, suffix = re.escape(output.stem), re.escape(output.suffix)
    ours = re.fullmatch(f"{stem}(-fooling(-[0-9]+)?)?{suffix}", given.name)
    return bool(ours) and given.resolve().parent == output.resolve().parent


def _wrong(
    config: ExplainConfig, classifier: Classifier, split: Split
) -> Iterator[tuple[str, Image.Image, str]]:
    """Name, picture and true class of the wrong answers, the surest first."""
    measured = measure(classifier, split, config.compute)
    wrong = {each.key: each for each in mistakes(measured.outcomes)[: config.wrong]}
    found = {row.key: row.data for row in split.rows() if row.key in wrong}
    for key, outcome in wrong.items():
        if key in found:
            yield Path(outcome.origin).name, decode(found[key]), outcome.truth


def _files(output: Path, title: str, answers: list[Answer]) -> dict[str, bytes]:
    """The sheet, and beside it the bare pictures that an answer wants kept."""
    contents = {output.name: as_png(sheet(title, [answer.block for answer in answers]))}
    for number, answer in enumerate(answers, start=1):
        for name, picture in answer.pictures.items():
            which = f"-{number}" if len(answers) > 1 else ""
            contents[f"{output.stem}-{name}{which}.png"] = as_png(picture)
    return contents
