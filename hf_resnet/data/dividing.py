"""Splits cut from splits: a validation split made where there is none, and fewer pictures drawn.

What is stored is counted and divided class by class. A stream cannot be counted before it has been
read, so there a picture's key alone decides its side, and a limit takes the first pictures that
come, the same number of each class.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from hf_resnet.data.alignment import Labelled
from hf_resnet.data.rows import NO_KEY, Seen, Stored, Streamed
from hf_resnet.data.splits import Plan, Side, drawn, held_out, quotas
from hf_resnet.data.values import NO_LABEL
from hf_resnet.errors import ConfigError, DataError, counted, listed
from hf_resnet.labels import Labels

Part = Stored | Streamed
SIDES = ("train", "validation")


def part_of(labelled: Labelled, labels: Labels) -> Part:
    """The rows of one split, with the labels that all splits share."""
    columns, codes = labelled
    if columns.streaming and columns.naming is not None:
        index_of = {name: index for index, name in enumerate(labels)}
        return Streamed(columns.dataset, columns.place, columns.naming, index_of)
    pictures = columns.dataset.select_columns(["image"])
    index_N = np.arange(len(pictures))
    return Stored(pictures, columns.place, index_N, label_N=codes.under(labels)).keyed()


def check_every_class(train: Part, labels: Labels, most: int | None) -> None:
    """Every class has a picture to learn from, and a limit leaves it one."""
    if most is not None and most < len(labels):
        raise ConfigError(
            f"--max_train_samples {most} leaves some of the {len(labels)} classes without a picture; "
            f"give at least {len(labels)}"
        )
    if isinstance(train, Streamed):
        return  # what comes is not known yet
    readable = {label for _, label in train.entries()}
    if missing := [name for index, name in enumerate(labels) if index not in readable]:
        raise DataError(
            f"no picture of {listed(missing)} in {train.place.title} can be read; mend the files, "
            "or take them away"
        )


def divided(train: Part, labels: Labels, plan: Plan) -> tuple[Part, Part, list[str]]:
    """The training pictures without those held out, and those, and what to say about it."""
    if isinstance(train, Streamed):
        sides = [replace(train, side=Side(plan, name), seen=Seen()) for name in SIDES]
        return sides[0], sides[1], [f"validation: {plan.share:.0%} of the stream, by hash"]
    entries = list(train.entries())
    chosen = held_out(
        [key for key, _ in entries], [labels.names[label] for _, label in entries], plan
    )
    if not chosen:
        raise DataError(
            f"no validation pictures can be set aside: no class of {train.place.title} has two "
            "different pictures; add some, or give --validation_dir"
        )
    side_N = np.array([key in chosen for key in train.all_keys()], dtype=bool)
    rest, held = train.taking(np.flatnonzero(~side_N)), train.taking(np.flatnonzero(side_N))
    return rest, held, _notes_on_division(rest, held, labels, plan)


def _notes_on_division(rest: Stored, held: Stored, labels: Labels, plan: Plan) -> list[str]:
    note = f"validation: {held.size:,} of {held.size + rest.size:,} training pictures set aside"
    if plan.known:
        old = sum(plan.known.get(key) == "validation" for key in held.all_keys())
        note += f", {old:,} of them as in the earlier run"
    left: defaultdict[int, set[str]] = defaultdict(set)
    for key, label in rest.entries():
        left[label].add(key)
    without = sorted(set(left) - set(held.all_labels()))
    single = listed(labels.names[label] for label in without if len(left[label]) == 1)
    known = listed(labels.names[label] for label in without if len(left[label]) > 1)
    notes = [note]
    if single:
        notes.append(f"validation: none of {single}; a single picture is learnt from")
    if known:
        notes.append(
            f"validation: none of {known}, whose pictures the earlier run learned from (a new "
            "--output_dir splits all anew)"
        )
    return notes


def fewer(part: Part, labels: Labels, most: int, flag: str, seed: int) -> tuple[Part, list[str]]:
    """At most so many pictures, drawn evenly from the classes, and what to say about it."""
    if isinstance(part, Streamed):
        even = quotas([most] * len(labels), most)
        return replace(part, quota=tuple(even), seen=Seen()), []
    keys, codes = part.all_keys(), part.all_labels()
    usable = [at for at in range(part.size) if keys[at] != NO_KEY and codes[at] != NO_LABEL]
    chosen = drawn([keys[at] for at in usable], [codes[at] for at in usable], most, seed)
    smaller = part.taking(np.array([usable[at] for at in chosen], dtype=np.int64))
    if len(usable) == part.size:
        return smaller, []
    note = (
        f"{part.place.title}: --{flag} drew {counted(smaller.size, 'picture')} from {len(usable):,}; "
        f"{part.size - len(usable):,} more cannot be read or have no label"
    )
    return smaller, [note]
