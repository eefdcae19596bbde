"""The training pictures nearest to a picture, as the network sees them: why it thinks so.

The head only ever sees features, so two pictures that are near each other there are alike to the
network, whatever a person may see. Near is meant as the cosine of the angle between their features.
The features of the training pictures are those that fitting a head keeps on disk, and are not
computed again. Of pictures that are the very same file, each is listed: a duplicate is a finding.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Split
from hf_resnet.engine import Engine
from hf_resnet.errors import DataError, PictureError, listed
from hf_resnet.explain import seeing
from hf_resnet.explain.question import Answer, Need, Question
from hf_resnet.explain.sheet import Block, Panel, percent, shown
from hf_resnet.head.features import Features, extract
from hf_resnet.images import decode
from hf_resnet.metrics.arrays import FloatArray

TITLE = "Nearest pictures: what it learned that looks the same to it"
NEEDS: tuple[Need, ...] = ("picture", "pictures to compare with")
COUNT = 5
_ROWS_AT_ONCE = 4096
_UNREADABLE = Image.new("RGB", (64, 64), "#ececec")


@dataclass(frozen=True, eq=False)
class Neighbour:
    """One training picture."""

    key: str
    origin: str
    label: str
    likeness: float
    """The cosine: 1 is the same to the network, 0 has nothing in common."""

    picture: Image.Image | None
    """None where it cannot be read again."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest first."""

    seen: Image.Image
    answer: str
    probability: float
    nearest: tuple[Neighbour, ...]
    compared: int
    """How many pictures were looked at."""


def explain(
    classifier: Classifier,
    picture: Image.Image,
    split: Split,
    *,
    count: int = COUNT,
    compute: ComputeConfig | None = None,
    feature_cache_dir: str | None = None,
) -> Neighbours:
    """The `count` pictures of the split that are nearest to the picture."""
    compute = compute or ComputeConfig()
    features = extract(classifier, split, HeadConfig(feature_cache_dir=feature_cache_dir), compute)
    if not len(features.label_N):
        raise DataError(f"{split.name} has no usable picture to compare with; name other data")
    engine = Engine(classifier.network, compute)
    pixels_1CHW = classifier.preprocess(picture)[None]
    likeness_N = _likeness(features, engine.features(pixels_1CHW)[0])
    nearest = np.argsort(-likeness_N, kind="stable")[:count]
    pictures = _read_again(split, {features.key_N[at].decode() for at in nearest})
    answer = classifier.likeliest(engine.probabilities(pixels_1CHW)[0], 1)[0]
    return Neighbours(
        seen=seeing.window(classifier.preprocess, picture),
        answer=answer.label,
        probability=answer.probability,
        nearest=tuple(
            _neighbour(features, int(at), float(likeness_N[at]), split, pictures) for at in nearest
        ),
        compared=len(likeness_N),
    )


def _likeness(features: Features, feature_D: np.ndarray) -> FloatArray:
    """The cosine of every picture with this one, read in blocks."""
    direction_D = _unit(feature_D[None])[0]
    blocks = []
    for start in range(0, features.shape[0], _ROWS_AT_ONCE):
        features_MVD = features.read(start, min(start + _ROWS_AT_ONCE, features.shape[0]))
        blocks.append(_unit(features_MVD[:, 0]) @ direction_D)
    likeness_N: FloatArray = np.concatenate(blocks)
    return likeness_N


def _unit(features_ND: np.ndarray) -> FloatArray:
    """Each row at length 1."""
    exact_ND = features_ND.astype(np.float64)
    length_N1 = np.linalg.norm(exact_ND, axis=1, keepdims=True)
    unit_ND: FloatArray = exact_ND / np.maximum(length_N1, 1e-12)
    return unit_ND


def _neighbour(
    features: Features, at: int, likeness: float, split: Split, pictures: dict[str, Image.Image]
) -> Neighbour:
    key, label = features.key_N[at].decode(), int(features.label_N[at])
    name = split.labels.names[label] if label >= 0 else "no class"
    return Neighbour(key, features.origins[at], name, likeness, pictures.get(key))


def _read_again(split: Split, keys: set[str]) -> dict[str, Image.Image]:
    """The pictures with these keys; the split is read no further than the last of them."""
    found: dict[str, Image.Image] = {}
    for row in split.rows():
        if row.key in keys and row.key not in found and row.problem is None:
            try:
                found[row.key] = decode(row.data)
            except PictureError:
                continue  # it was readable a moment ago; it is shown as an empty square
        if len(found) == len(keys):
            break
    return found


def ask(classifier: Classifier, question: Question) -> Answer:
    """Among the pictures that were named, or that the model learned from."""
    assert question.picture is not None  # noqa: S101  held by NEEDS
    assert question.split is not None  # noqa: S101  held by NEEDS
    found = explain(
        classifier,
        question.picture,
        question.split,
        count=question.count or COUNT,
        compute=question.compute,
        feature_cache_dir=question.feature_cache_dir,
    )
    lines = [f"{question.name}: {found.answer!r} {percent(found.probability)}; {_counted(found)}"]
    lines += [f"  {each.likeness:.3f} {each.label!r}: {each.origin}" for each in found.nearest]
    return Answer(block(found, classifier, question.name), tuple(lines))


def block(found: Neighbours, classifier: Classifier, name: str) -> Block:
    """The picture, and its neighbours, nearest first."""
    said = shown(classifier.labels, classifier.labels.index(found.answer))
    panels = [Panel(found.seen, "the picture", f"{said} {percent(found.probability)}")]
    for each in found.nearest:
        picture = each.picture or _UNREADABLE
        note = _file_name(each.origin) if each.picture else "cannot be read again"
        panels.append(Panel(picture, f"{each.label}, likeness {each.likeness:.2f}", note))
    return Block(f"{name}: {_counted(found)}", tuple(panels), side=208, columns=6)


def _counted(found: Neighbours) -> str:
    counts = Counter(each.label for each in found.nearest).most_common()
    told = listed(f"{count} of {label!r}" for label, count in counts)
    return f"the {len(found.nearest)} nearest of {found.compared:,} training pictures: {told}"


def _file_name(origin: str) -> str:
    parts: Sequence[str] = origin.replace("\\", "/").split("/")
    return "/".join(parts[-2:])
