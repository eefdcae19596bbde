"""Features come back as they went in, whatever happens to the process or to the disk."""

import errno
import io
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_resnet.errors import ConfigError
from hf_resnet.head import store as store_module
from hf_resnet.head.store import FeatureStore, addresses, cache_folder
from tests.conftest import files_of_at_most

WIDTH = 6
REPOSITORY = Path(__file__).parents[1]


def rows(*numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Addresses, and features that can be told from them."""
    names = addresses(number.to_bytes(16, "big") for number in numbers)
    return names, np.array([np.arange(WIDTH) + 10 * number for number in numbers], np.float32)


def opened(folder: Path, damage: list[str] | None = None) -> FeatureStore:
    return FeatureStore(folder, WIDTH, [].append if damage is None else damage.append)


def stored(folder: Path, *chunks: tuple[int, ...]) -> None:
    for numbers in chunks:
        with opened(folder) as store:
            store.add(*rows(*numbers))


def fetched(store: FeatureStore, names: np.ndarray) -> np.ndarray:
    found = np.full((len(names), WIDTH), np.nan, np.float32)
    for positions, features in store.chunks(names):
        found[positions] = features
    return found


def test_what_was_added_is_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    stored(tmp_path, (3, 1), (2,))
    names, features = rows(1, 2, 3)
    assert opened(tmp_path).holds(names).all()
    np.testing.assert_array_equal(fetched(opened(tmp_path), names), features)


def test_an_address_may_be_asked_for_several_times(tmp_path: Path) -> None:
    stored(tmp_path, (1, 2))
    names, features = rows(2, 1, 2)
    np.testing.assert_array_equal(fetched(opened(tmp_path), names), features)


def test_what_was_not_added_is_not_there(tmp_path: Path) -> None:
    stored(tmp_path, (1, 3))
    names, _ = rows(0, 1, 2, 3, 4)
    assert opened(tmp_path).holds(names).tolist() == [False, True, False, True, False]
    with pytest.raises(KeyError, match="3 of 5"):
        next(opened(tmp_path).chunks(names))


def test_an_empty_store_holds_nothing(tmp_path: Path) -> None:
    names, _ = rows(1)
    assert not opened(tmp_path / "new").holds(names).any()
    assert list(opened(tmp_path).chunks(addresses(()))) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=30), st.randoms())
def test_any_addresses_in_any_chunks_find_their_own_features(tmp_path_factory, names, random):
    folder = tmp_path_factory.mktemp("store")
    values = np.arange(len(names) * WIDTH, dtype=np.float32).reshape(-1, WIDTH)
    cuts = sorted(random.randrange(len(names) + 1) for _ in range(3))
    for start, stop in zip([0, *cuts], [*cuts, len(names)], strict=True):
        with opened(folder) as store:
            store.add(addresses(names[start:stop]), values[start:stop])
    order = random.sample(range(len(names)), len(names))
    found = fetched(opened(folder), addresses(names[at] for at in order))
    np.testing.assert_array_equal(found, values[order])


def test_a_full_chunk_is_on_disk_before_the_store_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 2 * 4 * WIDTH)
    store = opened(tmp_path)
    store.add(*rows(1))
    assert not opened(tmp_path).holds(rows(1)[0]).any()
    store.add(*rows(2))
    assert opened(tmp_path).holds(rows(1, 2)[0]).all()


def test_an_old_chunk_is_on_disk_though_it_is_not_full(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "CHUNK_SECONDS", 0.0)
    store = opened(tmp_path)
    store.add(*rows(1))
    assert opened(tmp_path).holds(rows(1)[0]).all()


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="features of"):
        opened(tmp_path).add(rows(1)[0], np.zeros((1, WIDTH + 1)))


DAMAGE = ["cut", "empty", "other file", "turned bit", "other width", "fewer rows", "no numbers"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_chunk_is_dropped_with_a_line_and_the_others_stay(tmp_path, damage):
    stored(tmp_path, (1, 2))
    (path,) = tmp_path.glob("*.npz")
    stored(tmp_path, (3,))
    content = path.read_bytes()
    if damage == "other width":
        np.savez(path, address=rows(1, 2)[0], features=np.zeros((2, WIDTH + 1), np.float32))
    elif damage == "fewer rows":
        np.savez(path, address=rows(1, 2)[0], features=rows(1)[1])
    elif damage == "no numbers":
        np.savez(path, address=rows(1, 2)[0], features=rows(1, 2)[1] * np.float32("nan"))
    elif damage == "turned bit":
        feature = content.index(rows(2)[1].tobytes())
        path.write_bytes(content[:feature] + b"\xff" + content[feature + 1 :])
    else:
        kept = {"cut": content[:-30], "empty": b"", "other file": b"P5 2 2 255 ...."}
        path.write_bytes(kept[damage])
    told: list[str] = []
    assert opened(tmp_path, told).holds(rows(1, 2, 3)[0]).tolist() == [False, False, True]
    assert len(told) == 1 and str(path) in told[0]
    assert not path.exists()
    stored(tmp_path, (1, 2))
    assert opened(tmp_path).holds(rows(1, 2, 3)[0]).all()


def test_no_turned_bit_changes_a_feature(tmp_path: Path) -> None:
    stored(tmp_path, (1, 2))
    names, features = rows(1, 2)
    (path,) = tmp_path.glob("*.npz")
    content = path.read_bytes()
    for at in range(0, len(content), 3):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        store = opened(tmp_path)
        held = store.holds(names)
        np.testing.assert_array_equal(fetched(store, names[held]), features[held])


def test_a_large_chunk_that_says_it_is_smaller_is_dropped(tmp_path: Path) -> None:
    stored(tmp_path, tuple(range(3000)))
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes().replace(b"(3000, 6)", b"(2999, 6)"))
    assert not opened(tmp_path).holds(rows(1)[0]).any()


@pytest.mark.parametrize("part", ["address", "features"])
@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_memory_is_taken_for_what_a_chunk_only_says_it_holds(tmp_path, part, packed):
    stored(tmp_path, (1, 2))
    (path,) = tmp_path.glob("*.npz")
    with zipfile.ZipFile(path) as chunk:
        members = {name: chunk.read(name) for name in chunk.namelist()}
    members[f"{part}.npy"] = said(part) + bytes(50_000_000 if packed == zipfile.ZIP_DEFLATED else 9)
    with zipfile.ZipFile(path, "w", packed) as chunk:
        for name, content in members.items():
            chunk.writestr(name, content)
    del members
    told: list[str] = []
    tracemalloc.start()
    assert not opened(tmp_path, told).holds(rows(1, 2)[0]).any()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5_000_000
    assert len(told) == 1 and not path.exists()


def said(part: str) -> bytes:
    """The beginning of an array of a million million rows."""
    header = io.BytesIO()
    kind, row = ("|S16", ()) if part == "address" else ("<f4", (WIDTH,))
    told = {"descr": kind, "fortran_order": False, "shape": (10**12, *row)}
    np.lib.format.write_array_header_1_0(header, told)
    return header.getvalue()


@pytest.mark.parametrize("what", ["folder", "pipe", "device"])
def test_what_is_no_file_is_no_chunk_whatever_it_is_called(tmp_path, what):
    stored(tmp_path, (1,))
    odd = tmp_path / "odd.npz"
    {
        "folder": odd.mkdir,
        "pipe": lambda: os.mkfifo(odd),
        "device": lambda: odd.symlink_to("/dev/zero"),
    }[what]()
    told: list[str] = []
    assert opened(tmp_path, told).holds(rows(1, 2)[0]).tolist() == [True, False]
    assert not told and odd.exists()


def test_what_the_disk_refuses_is_an_error_and_drops_nothing(tmp_path, monkeypatch):
    stored(tmp_path, (1, 2))
    store = opened(tmp_path)

    def refused(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile, "ZipFile", refused)
    with pytest.raises(ConfigError, match=r"features cannot be kept in .*Input/output error"):
        store.holds(rows(1)[0])
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_full_disk_is_one_line_and_leaves_no_half_chunk(tmp_path):
    stored(tmp_path, (1,))
    store = opened(tmp_path)
    store.add(*rows(*range(2, 2000)))
    with files_of_at_most(10_000), pytest.raises(ConfigError) as caught:
        store.flush()
    assert "File too large" in str(caught.value) and "--feature_cache_dir" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert opened(tmp_path).holds(rows(1, 2)[0]).tolist() == [True, False]


def test_a_chunk_that_another_process_dropped_is_not_missed(tmp_path: Path) -> None:
    stored(tmp_path, (1,), (2,))
    told: list[str] = []
    store = opened(tmp_path, told)
    min(tmp_path.glob("*.npz")).unlink()
    assert store.holds(rows(1, 2)[0]).sum() == 1
    assert not told


def test_half_written_files_do_not_count_and_are_swept_when_old(tmp_path: Path) -> None:
    fresh, old = tmp_path / ".a.part", tmp_path / ".b.part"
    for path in (fresh, old):
        path.write_bytes(b"PK")
    os.utime(old, (1, 1))
    assert len(opened(tmp_path)) == 0
    assert fresh.exists() and not old.exists()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from hf_resnet.head.store import FeatureStore, addresses
first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
store = FeatureStore(folder, 6, print)
for number in range(first, first + count):
    features = np.arange(6)[None] + 10 * number
    store.add(addresses([number.to_bytes(16, "big")]), features)
    store.flush()
    print(number, flush=True)
"""


def writer(folder: Path, first: int, count: int) -> subprocess.Popen[str]:
    """A process that adds the rows from `first` on, each in a chunk of its own."""
    command = [sys.executable, "-c", WRITER, str(first), str(count), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_several_processes_add_at_once(tmp_path: Path) -> None:
    writers = [writer(tmp_path, first, 20) for first in (0, 100, 200)]
    assert [process.communicate() and process.returncode for process in writers] == [0, 0, 0]
    names, features = rows(*(first + number for first in (0, 100, 200) for number in range(20)))
    np.testing.assert_array_equal(fetched(opened(tmp_path), names), features)


def test_a_killed_process_loses_nothing_that_was_on_disk(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 10**6)
    assert process.stdout
    while process.stdout.readline().strip() != "30":
        pass
    process.kill()
    process.communicate()
    names, features = rows(*range(31))
    told: list[str] = []
    np.testing.assert_array_equal(fetched(opened(tmp_path, told), names), features)
    assert not told


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"features cannot be kept in .*--feature_cache_dir"):
        opened(tmp_path / "file" / "store")


def test_features_lie_where_they_are_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_RESNET_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "hf_resnet" / "features"
    monkeypatch.setenv("HF_RESNET_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere/features")
    assert cache_folder("~/mine") == Path.home() / "mine"
