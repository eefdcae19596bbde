"""hf-resnet predict: say what pictures are, on screen and in a file.

Imports no torch by itself: where the model has an export that is up to date, that answers.
"""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator

from hf_resnet.commands.rows import PredictedRow, check_output, writer
from hf_resnet.config import ModelConfig, PredictConfig
from hf_resnet.data import Row, Split, pictures
from hf_resnet.engine import Answering, BadPicture, batches, open_fastest
from hf_resnet.errors import counted
from hf_resnet.progress import Pace
from hf_resnet.screen import one_line, screen

MOST_ON_SCREEN = 50


def run(config: PredictConfig) -> None:
    """Open the model, look at every picture, print a line for each, and write them if asked to."""
    if os.environ.get("RANK", "0") != "0":
        return  # of several processes, one answers
    check_output(config.output)
    console = screen()
    split = pictures(config.inputs, split=config.split, image_column_name=config.image_column_name)
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    answering = open_fastest(model, config.compute, config.backend)
    top_k = min(config.top_k, len(answering.labels))
    coming = predicted(answering, split, top_k)
    seen: Counter[str] = Counter()
    shown: list[PredictedRow] = []
    with writer(config.output, top_k) as write:
        for row in _with_progress(coming, split.size):
            seen["bad" if row.error else "good"] += 1
            write(row)
            if len(shown) < MOST_ON_SCREEN:
                shown.append(row)
    for row in shown:
        console.print(str(row))
    if seen.total() > MOST_ON_SCREEN:
        more = "" if config.output else "; --output rows.csv writes them all"
        console.print(f"... and {seen.total() - MOST_ON_SCREEN:,} more{more}")
    for note in (*answering.notes, *split.notes):
        console.print(one_line(f"note: {note}"))
    told = counted(seen["good"], "picture")
    told += f", {counted(seen['bad'], 'file')} that could not be used" if seen["bad"] else ""
    told += f", answered by {answering.backend}"
    console.print(f"{told}{f'; written to {config.output}' if config.output else ''}")


def predicted(answering: Answering, split: Split, top_k: int) -> Iterator[PredictedRow]:
    """A row a picture, in order: its likeliest classes, or why it could not be used."""
    bad: deque[BadPicture] = deque()
    order: deque[str] = deque()
    coming = batches(
        _noting(split.rows(), order),
        lambda picture, _: answering.preprocess(picture),
        batch_size=answering.batch_size,
        workers=answering.workers,
        on_bad=bad.append,
    )
    for batch in coming:
        for probabilities_K in answering.probabilities(batch.pixels_BCHW):
            yield from _bad_rows(order, bad)
            found = answering.likeliest(probabilities_K, top_k)
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
