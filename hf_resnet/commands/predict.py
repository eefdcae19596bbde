"""hf-resnet predict: say what pictures are, on screen, in a file, or in a folder of parts.

Imports no torch by itself: where the model has an export that is up to date, that answers. For the
same reason no Accelerator is made: under `accelerate launch` a process learns from its environment
which pictures are its own. The surprise: processes never speak with each other; who sees that every
part is there tells so.
"""

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hf_resnet.commands.launched import Share, share, take_share_of_cores
from hf_resnet.commands.rows import PredictedRow, check_output, is_folder, writer
from hf_resnet.config import ModelConfig, PredictConfig
from hf_resnet.data import Row, Split, pictures
from hf_resnet.engine import Answering, BadPicture, batches, open_fastest
from hf_resnet.engine.choice import ENDLESS
from hf_resnet.errors import HfResnetError, counted
from hf_resnet.progress import Pace
from hf_resnet.screen import one_line, screen

MOST_ON_SCREEN = 50


def run(config: PredictConfig) -> None:
    """Open the model, look at every picture, and print or write what each of them is."""
    mine, in_parts = share(), is_folder(config.output)
    if mine.rank and not in_parts:
        return  # of several processes, one answers
    take_share_of_cores()
    if not in_parts:
        check_output(config.output)
    split = pictures(
        config.inputs,
        split=config.split,
        image_column_name=config.image_column_name,
        streaming=config.streaming,
    )
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    count = ENDLESS if split.size is None else split.size
    answering = open_fastest(model, config.compute, config.backend, pictures=count)
    notes = [*answering.notes, *split.notes]
    if in_parts:
        said = _in_parts(config, split, answering, mine)
    else:
        said = _in_one(config, split, answering)
        if mine.processes > 1:
            notes.append("one process answered; for all of them, name a folder as --output")
    console = screen()
    for note in notes if mine.rank == 0 else ():
        console.print(one_line(f"note: {note}"))
    console.print(one_line(said))


def _in_one(config: PredictConfig, split: Split, answering: Answering) -> str:
    """All rows on screen, and in a file if asked for; gives what there is to say in the end."""
    console = screen()
    top_k = min(config.top_k, len(answering.labels))
    seen: Counter[str] = Counter()
    shown: list[PredictedRow] = []
    with writer(config.output, top_k) as write:
        for row in _with_progress(predicted(answering, split.rows(), top_k), split.size):
            seen["bad" if row.error else "good"] += 1
            write(row)
            if len(shown) < MOST_ON_SCREEN:
                shown.append(row)
    for row in shown:
        console.print(str(row))
    if seen.total() > MOST_ON_SCREEN:
        more = "" if config.output else "; --output rows.csv writes them all"
        console.print(f"... and {seen.total() - MOST_ON_SCREEN:,} more{more}")
    return _told(config, answering, seen["good"], seen["bad"])


def _told(config: PredictConfig, answering: Answering, good: int, bad: int) -> str:
    told = counted(good, "picture")
    told += f", {counted(bad, 'file')} that could not be used" if bad else ""
    told += f", answered by {answering.backend}"
    return f"{told}{f'; written to {config.output}' if config.output else ''}"


def _in_parts(config: PredictConfig, split: Split, answering: Answering, mine: Share) -> str:
    """This process's share of the parts; gives what there is to say in the end."""
    from hf_resnet.commands.large_job import fill
    from hf_resnet.commands.parts import Parts

    assert config.output is not None  # noqa: S101  it is a folder
    top_k = min(config.top_k, len(answering.labels))
    parts = Parts(Path(config.output).expanduser(), config.rows_per_part, top_k, mine)
    with parts.claimed(_asked(config, split, answering, top_k)):
        was_finished = parts.was_finished
        try:
            done = fill(parts, split, lambda rows: predicted(answering, rows, top_k))
        except HfResnetError as exc:
            if (
                mine.rank
            ):  # of an error that all have the first process tells, but this may be alone
                screen(stream=sys.stderr).print(one_line(f"error: {mine}: {exc}"))
            raise
    if done.totals is None or (was_finished and mine.rank):
        here = f"{mine} is done, with {counted(done.here, 'picture')}"
        return here if done.totals else f"{here}; {config.output} is whole once all are"
    good = done.totals.rows - done.totals.not_used
    return _told(config, answering, good, done.totals.not_used)


def _asked(config: PredictConfig, split: Split, answering: Answering, top_k: int) -> dict[str, Any]:
    """All that decides the rows, as the folder keeps it: a job goes on only with the same."""
    from hf_resnet.data import identity_of

    model = answering.source
    if answering.classifier is not None:
        from hf_resnet.commands.kept import weights_fingerprint

        model = weights_fingerprint(answering.classifier)
    return {
        "model": config.model_name_or_path,
        "model_fingerprint": model,
        "backend": answering.backend,
        "precision": config.compute.precision,
        "inputs": list(config.inputs),
        "split": config.split,
        "image_column_name": config.image_column_name,
        "pictures": split.size,
        "pictures_fingerprint": identity_of(split),
        "top_k": top_k,
        "rows_per_part": config.rows_per_part,
    }


def predicted(answering: Answering, rows: Iterable[Row], top_k: int) -> Iterator[PredictedRow]:
    """A row a picture, in order: its likeliest classes, or why it could not be used."""
    bad: deque[BadPicture] = deque()
    order: deque[str] = deque()
    coming = batches(
        _noting(rows, order),
        lambda picture, _: answering.preprocess(picture),
        batch_size=answering.batch_size,
        workers=answering.workers,
        on_bad=bad.append,
        at_least=answering.preprocess.enough,
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
