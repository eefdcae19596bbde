"""The worst mistakes looked at: what in the picture spoke for the answer, and what for the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from hf_resnet.classifier import Classifier
from hf_resnet.data import Split
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.evaluation.measured import Measured, Outcome, mistakes
from hf_resnet.evaluation.seen_again import seen_again

MOST = 12
MOST_EXPLAINED = 6


@dataclass(frozen=True, eq=False)
class Seen:
    """A wrong answer with its picture, None where that is gone; and heat for some classes by name."""

    outcome: Outcome
    picture: Image.Image | None
    heats: tuple[tuple[str, Image.Image], ...] = ()


def worst(measured: Measured, split: Split, classifier: Classifier | None) -> list[Seen]:
    """The wrong answers that the model was surest of; the first of them explained by Grad-CAM, where
    there is a network to ask."""
    chosen = mistakes(measured.outcomes)[:MOST]
    found = seen_again(split, {each.key for each in chosen}, lambda picture: picture)
    seen = [Seen(each, found.get(each.key)) for each in chosen]
    if classifier is None:
        return seen
    return [*_explained(classifier, seen[:MOST_EXPLAINED]), *seen[MOST_EXPLAINED:]]


def _explained(classifier: Classifier, seen: Sequence[Seen]) -> list[Seen]:
    from hf_resnet.explain.gradcam import explain
    from hf_resnet.explain.maps import heat_over

    done = []
    for each in seen:
        if each.picture is None:
            done.append(each)
            continue
        names = (each.outcome.prediction, each.outcome.truth)
        try:
            cam = explain(classifier, each.picture, classes=names)
        except (ConfigError, ModelError):
            return list(seen)  # a network without maps has no places to show
        heats = tuple(
            (classifier.labels.names[heat.class_index], heat_over(cam.seen, heat.heat_HW))
            for heat in cam.heats
        )
        done.append(replace(each, heats=heats))
    return done
