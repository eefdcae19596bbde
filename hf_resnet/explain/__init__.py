"""Pictures from inside a network: one file a kind, and the dictionary that lists them.

A kind's `explain` gives numbers and bare pictures, its `block` lays them out for a sheet, and its
`ask` does both for a Question. To add a kind, write its file and name it in KINDS.
"""

from hf_resnet.explain import adversarial, features, gradcam, ideal, neighbours
from hf_resnet.explain.question import Answer, Kind, Question
from hf_resnet.explain.sheet import as_png, sheet

__all__ = ["KINDS", "Answer", "Kind", "Question", "as_png", "sheet"]

KINDS: dict[str, Kind] = {
    "gradcam": gradcam,
    "features": features,
    "ideal": ideal,
    "adversarial": adversarial,
    "neighbours": neighbours,
}
