"""What a kind of explanation is asked, and what it answers, alike for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PIL import Image

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Split
from hf_resnet.explain.sheet import Block

Need = Literal["picture", "class", "pictures to compare with"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question about a network; each kind looks at what it needs and leaves the rest."""

    picture: Image.Image | None = None
    """In RGB, of any size."""

    name: str = "the picture"
    """What the picture is called above what is drawn."""

    truth: str | None = None
    """The class it is of, where that is known."""

    layers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    target: str | None = None
    attack: Literal["pgd", "fgsm"] = "pgd"
    count: int | None = None
    seed: int = 0
    split: Split | None = None
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    feature_cache_dir: str | None = None


@dataclass(frozen=True)
class Answer:
    """What was found, as it is drawn, said and saved."""

    block: Block
    lines: tuple[str, ...]
    """Sentences with the measured numbers."""

    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    """Bare pictures to keep as files of their own, by what is added to the file's name."""


class Kind(Protocol):
    """What the file of a kind offers beside `explain` (numbers and pictures) and `block`."""

    TITLE: str
    NEEDS: tuple[Need, ...]

    def ask(self, classifier: Classifier, question: Question) -> Answer: ...
