"""Data sets of the Hub, and folders laid out like them.

Whatever `datasets.load_dataset` opens: OWNER/NAME, OWNER/NAME@REVISION, or a local folder of
parquet, arrow or picture files. Never runs a data set's own Python code. The surprise: the Hub's
client retries for a minute when there is no network, so it is asked only after one quick look, and
otherwise only for what it has stored here.
"""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import constants

from hf_resnet.data.columns import RawSplit
from hf_resnet.data.place import Place
from hf_resnet.data.refusals import translated
from hf_resnet.patience import patiently

SAVED = ("dataset_dict.json", "state.json")
"""Files that `save_to_disk` leaves in a folder, which `load_dataset` refuses."""


def reachable(timeout_s: float = 3.0) -> bool:
    """Whether the Hub answers, found out within `timeout_s`; never under HF_HUB_OFFLINE."""
    if constants.is_offline_mode() or datasets.config.HF_HUB_OFFLINE:
        return False
    answers: list[bool] = []
    # In a thread, because no time limit of a request covers looking up the host's name.
    look = threading.Thread(
        target=lambda: answers.append(_answers(constants.ENDPOINT, timeout_s)), daemon=True
    )
    look.start()
    look.join(timeout_s)
    return answers == [True]


def _answers(url: str, timeout_s: float) -> bool:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # the person's own endpoint
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            return True
    except urllib.error.HTTPError as exc:
        return exc.code < 500 and exc.code not in (403, 407)  # a wall that answers is no Hub
    except (OSError, ValueError):
        return False


def open_dataset(
    name: str, config: str | None = None, *, streaming: bool = False
) -> dict[str, RawSplit]:
    """Every split of a data set, by the names it has there."""
    loaded, name = _load(name, config, streaming=streaming)
    if not isinstance(loaded, Mapping):  # a single split that was saved by itself
        loaded = {"train": loaded}
    return {
        split: RawSplit(dataset, Place(f"{name} {split}", remote=True))
        for split, dataset in loaded.items()
    }


def _load(name: str, config: str | None, *, streaming: bool) -> tuple[Any, str]:
    folder = Path(name).expanduser()
    if folder.is_dir():
        if any((folder / saved).exists() for saved in SAVED):
            with translated(name), no_bars():
                return datasets.load_from_disk(str(folder)), name
        with translated(name), no_bars():
            return datasets.load_dataset(str(folder.resolve()), config, streaming=streaming), name
    plain, _, revision = name.partition("@")
    with translated(plain, revision), _switched(offline=not reachable()):
        loaded = patiently(
            lambda: datasets.load_dataset(
                plain, config, revision=revision or None, streaming=streaming
            ),
            reading=True,
        )
    return loaded, name


@contextmanager
def no_bars() -> Iterator[None]:
    """Inside it, the library draws no bars of its own: what lies on this machine is soon read. For
    the Hub they stay, since fetching may take long."""
    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()


@contextmanager
def _switched(*, offline: bool) -> Iterator[None]:
    """The library's settings for one call: only what is stored here, and no second host.

    Left alone it also asks a `datasets-server` host, for nothing that is needed here.
    """
    settings = datasets.config
    before = settings.HF_HUB_OFFLINE, settings.USE_PARQUET_EXPORT
    settings.HF_HUB_OFFLINE, settings.USE_PARQUET_EXPORT = offline, False
    try:
        yield
    finally:
        settings.HF_HUB_OFFLINE, settings.USE_PARQUET_EXPORT = before
