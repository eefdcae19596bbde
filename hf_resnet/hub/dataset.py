"""Pictures put on the Hub as a data set: parquet files and a card, as one commit.

Looks before it sends, so that the same command again sends nothing twice. Of a card that a person has
written in, only our part is written anew.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants

from hf_resnet.data import Data
from hf_resnet.errors import DataError, HubError, counted
from hf_resnet.hub import contents, repository
from hf_resnet.hub.contents import CARD_FILE
from hf_resnet.hub.landing import Target, land
from hf_resnet.hub.marked import cell, is_marked, written
from hf_resnet.hub.refusals import translated
from hf_resnet.hub.shards import Wish, Written, write_shards
from hf_resnet.patience import patiently
from hf_resnet.writing import on_disk

FLAG = "--hub_dataset_id"
_FOLDER = "data"
_MOST_CLASSES = 200
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class Destination:
    """Where a data set goes, and how it is to be there."""

    repo: str
    private: bool = False
    license: str | None = None
    force: bool = False
    """Whether a data set that push-data did not make is replaced."""


@dataclass(frozen=True)
class PublishedData:
    """Where the data set is now."""

    repo: str
    url: str
    changed: bool
    """Whether anything had to be sent."""

    splits: Sequence[Written]


def publish_data(data: Data, place: Destination, wish: Wish) -> PublishedData:
    """Push every split; pictures that are unusable are left out and told of."""
    if any(split.size is None for split in data.splits()):
        raise DataError("what comes as a stream is on a Hub already; leave out --streaming")
    with translated(place.repo, FLAG), tempfile.TemporaryDirectory() as temporary:
        api = HfApi(library_name="hf-resnet")
        repo = repository.full_name(api, place.repo)  # before the work: whoever may not write
        target = Target(api, repo, "dataset")
        if not place.force and repository.find(api, repo, "dataset") is not None:
            _refuse_foreign(target)
        folder = Path(temporary)
        with on_disk(
            f"the files to push, in {folder}", "make room, or set TMPDIR to a larger disk"
        ):
            splits = write_shards(data, folder, wish)
        if not any(split.files for split in splits):
            raise DataError(f"{data.source} has no picture that can be pushed")
        repository.make_repository(api, repo, private=place.private, kind="dataset")
        items = {
            f"{_FOLDER}/{path.name}": contents.item(path)
            for split in splits
            for path in split.files
        }
        text = _card(repo, splits, _card_there(target), place.license)
        items[CARD_FILE] = contents.item(text.encode())
        pictures = sum(sum(split.count_K) for split in splits)
        message = f"{counted(pictures, 'picture')} from hf-resnet"
        _, changed = land(target, items, _is_ours, message)
    return PublishedData(repo, f"{constants.ENDPOINT}/datasets/{repo}", changed, splits)


def _is_ours(name: str) -> bool:
    """Whether an earlier push may have put it there."""
    return name.startswith(f"{_FOLDER}/") and name.endswith(".parquet")


def _refuse_foreign(target: Target) -> None:
    """Stop where the data set there is of other making, since its files would be taken away."""
    _, there = target.listing()
    count = sum(name.endswith(".parquet") for name in there)
    if count and not is_marked(_card_there(target)):
        raise HubError(
            f"{target.repo} holds {counted(count, 'parquet file')} that push-data did not put there, "
            f"and they could be lost; name another {FLAG}, or replace them with --force"
        )


def _card_there(target: Target) -> str:
    head, there = target.listing()
    if CARD_FILE not in there:
        return ""
    path = patiently(
        lambda: target.api.hf_hub_download(
            target.repo, CARD_FILE, revision=head, repo_type="dataset"
        )
    )
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _card(repo: str, splits: Sequence[Written], there: str, license: str | None) -> str:
    pictures = sum(sum(split.count_K) for split in splits)
    told = {
        "task_categories": ["image-classification"],
        "size_categories": [next((name for n, name in _SIZES if pictures < n), "n>1M")],
        "tags": ["hf-resnet"],
        "configs": [{"config_name": "default", "data_files": list(_data_files(splits))}],
    }
    return written(list(_sections(repo, splits)), told, [there], license=license)


def _data_files(splits: Sequence[Written]) -> Iterator[dict[str, Any]]:
    for each in splits:
        if each.files:
            yield {"split": each.split.name, "path": f"{_FOLDER}/{each.split.name}-*"}


def _sections(repo: str, splits: Sequence[Written]) -> Iterator[str]:
    yield f"# {repo.partition('/')[2]}\n"
    yield "Pictures, each of one class. To teach a network these classes:\n"
    yield (
        "```sh\nhf-resnet finetune --model_name_or_path microsoft/resnet-50 --dataset_name "
        f"{repo} --output_dir my-model\n```\n"
    )
    yield f'```python\nfrom datasets import load_dataset\n\ndata = load_dataset("{repo}")\n```\n'
    yield "## Pictures by class\n"
    yield f"| class | {' | '.join(each.split.name for each in splits)} |"
    yield "|---|" + "---|" * len(splits)
    names = splits[0].split.labels.names
    for at, name in enumerate(names[:_MOST_CLASSES]):
        yield f"| {cell(name)} | {' | '.join(f'{each.count_K[at]:,}' for each in splits)} |"
    if len(names) > _MOST_CLASSES:
        yield f"| {len(names) - _MOST_CLASSES:,} more classes |" + " |" * len(splits)
    yield ""
