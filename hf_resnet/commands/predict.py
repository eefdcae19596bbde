"""hf-resnet predict: say what pictures are, on screen and in a file."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.commands.rows import SUFFIXES, PredictedRow, writer
from hf_resnet.config import ModelConfig, PredictConfig
from hf_resnet.data import Row, Split, pictures
from hf_resnet.engine import BadPicture, Engine, batches
from hf_resnet.errors import ConfigError, listed
from hf_resnet.progress import Pace

MOST_ON_SCREEN = 50


def run(config: PredictConfig) -> None:
    """Open the model, look at every picture, print a line for each, and write them if asked to."""
    if os.environ.get("RANK", "0") != "0":
        return  # of several processes, one answers
    if config.output and Path(config.output).suffix not in SUFFIXES:
        raise ConfigError(f"--output ends in {listed(SUFFIXES, last='or')}; got {config.output}")
    console = Console(soft_wrap=True, highlight=False, markup=False)
    split = pictures(config.inputs, split=config.split, image_column_name=config.image_column_name)
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    coming = predicted(open_classifier(model), split, config)
    seen: Counter[str] = Counter()
    shown: list[PredictedRow] = []
    with writer(config.output, config.top_k) as write:
        for row in _with_progress(coming, split.size):
            seen["bad" if row.error else "good"] += 1
            write(row)
            if len(shown) < MOST_ON_SCREEN:
                shown.append(row)
    for row in shown:
        console.print(str(row), highlight=False, markup=False)
    if seen.total() > MOST_ON_SCREEN:
        more = "" if config.output else "; --output rows.csv writes them all"
        console.print(f"... and {seen.total() - MOST_ON_SCREEN:,} more{more}", highlight=False)
    told = _count(seen["good"], "picture")
    told += f", {_count(seen['bad'], 'file')} that could not be used" if seen["bad"] else ""
    console.print(f"{told}{f'; written to {config.output}' if config.output else ''}")


def predicted(
    classifier: Classifier, split: Split, config: PredictConfig
) -> Iterator[PredictedRow]:
    """A row a picture, in order: its likeliest classes, or why it could not be used."""
    engine = Engine(classifier.network, config.compute)
    bad: deque[BadPicture] = deque()
    order: deque[str] = deque()
    coming = batches(
        _noting(split.rows(), order),
        lambda picture, _: classifier.preprocess(picture),
        batch_size=engine.batch_size,
        workers=engine.workers,
        on_bad=bad.append,
    )
    for batch in coming:
        for probabilities_K in engine.probabilities(batch.pixels_BCHW):
            yield from _bad_rows(order, bad)
            found = classifier.likeliest(probabilities_K, config.top_k)
            yield PredictedRow(order.popleft(), tuple(found))
    yield from _bad_rows(order, bad)


def _noting(rows: Iterable[Row], order: deque[str]) -> Iterator[Row]:
    for row in rows:
        order.append(row.origin)
        yield row


def _bad_rows(order: deque[str], bad: deque[BadPicture]) -> Iterator[PredictedRow]:
    """The rows of the files that could not be used and are next in order."""
    while bad and order[0] == bad[0].origin:
        yield PredictedRow(order.popleft(), error=bad.popleft().reason)


def _with_progress(rows: Iterable[PredictedRow], count: int | None) -> Iterator[PredictedRow]:
    """The rows, with a bar where there are more than fit on a screen."""
    with Pace("Looking", count, shown=count is None or count > MOST_ON_SCREEN) as pace:
        for row in rows:
            pace.advance(1)
            yield row


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
