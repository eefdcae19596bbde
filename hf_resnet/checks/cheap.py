"""What can be said of a data set without opening a picture: a line each, before anything is learned.

Needs only the keys and the classes that are known anyway; a stream, of which nothing is known
beforehand, is passed over. The surprise: training pictures among those that the model is measured on
are not told here, since the measurement tells them.
"""

from collections import defaultdict
from collections.abc import Iterator

from hf_resnet.checks.class_counts import FEWEST, small, uneven
from hf_resnet.checks.similar_names import alike
from hf_resnet.data import Data, Split
from hf_resnet.errors import counted, listed

SEE = "hf-resnet check-data shows them"


def warnings(data: Data) -> Iterator[str]:
    """What a person should know before a model learns from these pictures."""
    measured_on = data.test or data.validation
    splits = [split for split in data.splits() if split.size is not None]
    if data.train is not None and data.train in splits:
        counts = data.train.counts()
        yield from (each.reason for each in alike(counts))
        if few := [str(each.label) for each in small(counts, "train")]:
            yield f"fewer than {FEWEST} pictures to learn from: {listed(few)}; take more of them"
        yield from (each.reason for each in uneven(counts, "train"))
    for at, split in enumerate(splits):
        keys = {key for key, _ in split.entries()}
        for other in splits[at + 1 :]:
            both = keys & {key for key, _ in other.entries()}
            if both and not (split is data.train and other is measured_on):
                yield f"{counted(len(both), 'file')} of {split.name} also in {other.name}; {SEE}"
    yield from _contradictions(splits)


def _contradictions(splits: list[Split]) -> Iterator[str]:
    """Files that are filed under several classes, in whatever split."""
    classes: defaultdict[str, set[int]] = defaultdict(set)
    for split in splits:
        for key, label in split.entries():
            classes[key].add(label)
    several = sum(len(found) > 1 for found in classes.values())
    if several:
        yield f"{counted(several, 'file')} filed under more than one class; {SEE}"
