"""From a config to splits: made once and found again, drawn evenly, streamed, and flat in memory."""

import json
import pickle
import tracemalloc

import datasets
import numpy as np
import pytest

from hf_resnet.config import DataConfig
from hf_resnet.data import key_of, load_data
from hf_resnet.data.cifar10 import as_png
from hf_resnet.data.splits import rank
from hf_resnet.errors import ConfigError, DataError

NAMES = ["cat", "dog", "emu"]


def png(number):
    return as_png(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def fill(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number}.png").write_bytes(png(number))


@pytest.fixture
def photos(tmp_path):
    """Three classes of 20, 20 and 5."""
    for start, (name, count) in enumerate((("cat", 20), ("dog", 20), ("emu", 5))):
        fill(tmp_path / "photos" / name, range(100 * start, 100 * start + count))
    return tmp_path / "photos"


def stored(folder, split, numbers, labels=None, names=NAMES):
    """A split of a data set folder, as it would lie on the Hub."""
    folder.mkdir(exist_ok=True)
    cells = [{"bytes": png(number), "path": None} for number in numbers]
    label = datasets.ClassLabel(names=names) if names else datasets.Value("string")
    features = datasets.Features({"image": datasets.Image(), "label": label})
    labels = [number % 3 for number in numbers] if labels is None else labels
    columns = {"image": cells, "label": labels}
    datasets.Dataset.from_dict(columns, features).to_parquet(folder / f"{split}.parquet")


def load(folder, remembered=None, **more):
    return load_data(DataConfig(train_dir=str(folder), **more), remembered=remembered)


def load_set(folder, remembered=None, **more):
    return load_data(DataConfig(dataset_name=str(folder), **more), remembered=remembered)


def keys(split):
    return {key for key, _ in split.entries()}


def remember(data, folder):
    folder.mkdir(exist_ok=True)
    (folder / "splits.json").write_text(json.dumps(data.split_record()))
    return folder


def test_a_missing_validation_split_is_made_stratified_and_disjoint(photos):
    data = load(photos, train_val_split=0.2)
    assert data.validation.counts() == {"cat": 4, "dog": 4, "emu": 1}
    assert data.train.counts() == {"cat": 16, "dog": 16, "emu": 4}
    assert not keys(data.train) & keys(data.validation)
    assert any("9 of 45 training pictures set aside" in note for note in data.notes)


def test_no_validation_split_is_made_where_none_is_wanted(photos):
    data = load_data(DataConfig(train_dir=str(photos)), make_validation=False)
    assert data.validation is None and data.train.size == 45


def test_renamed_files_and_two_loads_give_the_same_splits(photos):
    first = load(photos)
    assert load(photos).fingerprint() == first.fingerprint()
    for path in list((photos / "cat").iterdir()):
        path.rename(path.with_stem(f"z{99 - int(path.stem)}"))
    second = load(photos)
    assert keys(second.validation) == keys(first.validation)
    assert second.fingerprint() == first.fingerprint()


def test_copies_of_a_picture_fall_on_one_side(photos):
    for number in range(20):
        (photos / "cat" / f"copy{number}.png").write_bytes(png(number))
    data = load(photos)
    assert data.train.counts()["cat"] + data.validation.counts()["cat"] == 40
    assert not keys(data.train) & keys(data.validation)


def test_another_seed_makes_another_split(photos):
    assert keys(load(photos).validation) != keys(load(photos, split_seed=1).validation)


def test_a_class_with_one_picture_stays_in_train_with_a_note(photos):
    fill(photos / "fox", [900])
    data = load(photos)
    assert data.train.counts()["fox"] == 1 and data.validation.counts()["fox"] == 0
    assert any("none of fox" in note for note in data.notes)


def test_classes_of_one_picture_each_cannot_be_split(tmp_path):
    fill(tmp_path / "cat", [1])
    fill(tmp_path / "dog", [2])
    with pytest.raises(DataError, match="no validation pictures can be set aside"):
        load(tmp_path)


def test_a_class_that_cannot_be_read_stops_the_run(photos):
    (photos / "fox").mkdir()
    (photos / "fox" / "1.png").symlink_to(photos / "nowhere")
    with pytest.raises(DataError, match=r"no picture of fox in .*photos can be read"):
        load(photos)


def test_an_earlier_split_is_found_again_and_new_pictures_join_it(photos, tmp_path):
    first = load(photos)
    run = remember(first, tmp_path / "run")
    fill(photos / "cat", range(50, 90))
    second = load(photos, remembered=run, split_seed=7)
    assert keys(first.train) <= keys(second.train)
    assert keys(first.validation) <= keys(second.validation)
    assert second.validation.counts()["cat"] == 9
    assert any("7 of them as in the earlier run" in note for note in second.notes)
    assert load(photos, split_seed=7).fingerprint() != second.fingerprint()


def test_a_run_repeated_with_its_own_record_is_the_same_run(photos, tmp_path):
    wanted = {"max_train_samples": 12, "max_eval_samples": 3, "train_val_split": 0.3}
    first = load(photos, **wanted)
    second = load(photos, remembered=remember(first, tmp_path / "run"), **wanted)
    assert second.fingerprint() == first.fingerprint()
    assert second.split_record() == first.split_record()


def test_a_class_without_validation_pictures_is_told_with_the_reason(photos, tmp_path):
    run = remember(load(photos), tmp_path / "run")
    held = {key for key, _ in load(photos).validation.entries()}
    for path in photos.rglob("*.png"):
        if path.parent.name == "emu" and key_of(path.read_bytes()) in held:
            path.unlink()
    (note,) = [each for each in load(photos, remembered=run).notes if "none of" in each]
    assert "none of emu, whose pictures the earlier run learned from" in note
    fill(photos / "fox", [900])
    (note,) = [each for each in load(photos).notes if "none of" in each]
    assert note == "validation: none of fox; a single picture is learnt from"


def test_the_record_names_every_picture_once_with_its_side(photos):
    data = load(photos, split_seed=3, train_val_split=0.2)
    record = json.loads(json.dumps(data.split_record()))
    assert (record["seed"], record["share"]) == (3, 0.2)
    assert record["fingerprint"] == data.fingerprint()
    assert set(record["train"]) == keys(data.train)
    assert set(record["validation"]) == keys(data.validation)
    assert record["test"] == []


def test_the_fingerprint_changes_with_a_picture_a_class_or_a_side(photos):
    seen = {load(photos).fingerprint(), load(photos, split_seed=1).fingerprint()}
    (photos / "cat" / "0.png").write_bytes(png(999))
    seen.add(load(photos).fingerprint())
    (photos / "cat").rename(photos / "lion")
    seen.add(load(photos).fingerprint())
    (photos / "lion" / "1.png").rename(photos / "dog" / "1.png")
    seen.add(load(photos).fingerprint())
    for side in ("validation_dir", "test_dir"):
        seen.add(load_data(DataConfig(**{side: str(photos)})).fingerprint())
    assert len(seen) == 7


def test_limits_draw_evenly_after_splitting(photos):
    whole = load(photos, train_val_split=0.2)
    data = load(photos, train_val_split=0.2, max_train_samples=16, max_eval_samples=5)
    assert data.train.counts() == {"cat": 6, "dog": 6, "emu": 4}
    assert data.validation.counts() == {"cat": 2, "dog": 2, "emu": 1}
    assert keys(data.train) < keys(whole.train)
    assert keys(data.validation) < keys(whole.validation)


def test_a_limit_above_what_there_is_takes_everything(photos):
    assert load(photos, max_train_samples=10_000).train.size == load(photos).train.size


def test_a_limit_below_the_number_of_classes_is_a_config_error(photos):
    with pytest.raises(ConfigError, match=r"some of the 3 classes.*give at least 3"):
        load(photos, max_train_samples=2)


def test_rows_that_a_limit_passes_over_unread_are_noted(photos):
    (photos / "cat" / "gone.png").symlink_to(photos / "nowhere")
    data = load(photos, max_train_samples=12)
    assert all(row.problem is None for row in data.train.rows())
    assert any("1 more cannot be read" in note for note in data.notes)


@pytest.mark.parametrize("shards", [1, 2, 3, 50])
def test_shards_take_every_nth_row_in_order(photos, shards):
    train = load(photos).train
    rows = list(train.rows())
    for shard in range(shards):
        assert list(train.rows(shard, shards)) == rows[shard::shards]


def test_a_shard_that_does_not_exist_is_refused(photos):
    with pytest.raises(ValueError, match="no shard 2 of 2"):
        next(load(photos).train.rows(2, 2))


def test_data_survives_pickling(photos, tmp_path):
    stored(tmp_path / "set", "train", range(30))
    for data in (load(photos), load_set(tmp_path / "set", streaming=True)):
        again = pickle.loads(pickle.dumps(data))  # noqa: S301
        assert list(again.train.rows()) == list(data.train.rows())
        assert again.fingerprint() == data.fingerprint()


def test_a_data_set_folder_gives_its_splits_by_their_usual_names(tmp_path):
    for start, split in enumerate(("train", "validation", "test")):
        stored(tmp_path / "set", split, range(30 * start, 30 * start + 30))
    data = load_set(tmp_path / "set")
    assert data.labels.names == tuple(NAMES)
    assert [(split.name, split.size) for split in data.splits()] == [
        ("train", 30),
        ("validation", 30),
        ("test", 30),
    ]
    assert next(data.test.rows()).origin == f"{tmp_path / 'set'} test row 0"


def test_the_columns_of_the_training_split_are_those_of_the_others(tmp_path):
    lines = "\n".join(f"{number % 2}.png,{'ab'[number % 2]},b" for number in range(4))
    fill(tmp_path, range(2))
    (tmp_path / "train.csv").write_text(f"path,class,sort\n{lines}\n")
    (tmp_path / "test.csv").write_text(f"path,label,class\n{lines}\n")
    config = DataConfig(
        train_file=str(tmp_path / "train.csv"), test_file=str(tmp_path / "test.csv")
    )
    data = load_data(config, make_validation=False)
    assert data.test.counts() == {"a": 0, "b": 4}


def test_splits_may_be_named(tmp_path):
    for start, split in enumerate(("train", "test")):
        stored(tmp_path / "set", split, range(30 * start, 30 * start + 30))
    data = load_set(tmp_path / "set", train_split_name="test", test_split_name="train")
    assert keys(data.test) == {key_of(png(number)) for number in range(30)}
    with pytest.raises(
        DataError, match=r"no split 'tset' for --test_split_name; did you mean test"
    ):
        load_set(tmp_path / "set", test_split_name="tset")


def test_a_test_split_alone_can_be_loaded_to_be_measured_on(tmp_path):
    stored(tmp_path / "set", "test", range(30))
    data = load_set(tmp_path / "set")
    assert data.train is None and data.validation is None
    assert data.test.counts() == {"cat": 10, "dog": 10, "emu": 10}


@pytest.mark.parametrize("streaming", [False, True])
def test_a_test_split_with_hidden_labels_is_left_out_with_a_note(tmp_path, streaming):
    stored(tmp_path / "set", "train", range(30))
    stored(tmp_path / "set", "test", range(30, 60), labels=[-1] * 30)
    data = load_set(tmp_path / "set", streaming=streaming)
    assert data.test is None
    assert any("test: left out" in note and "no labels" in note for note in data.notes)


def test_hidden_training_labels_are_an_error(tmp_path):
    stored(tmp_path / "set", "train", range(30), labels=[-1] * 30)
    with pytest.raises(DataError, match="no classes to learn"):
        load_set(tmp_path / "set")


def test_a_data_set_saved_to_disk_is_opened_too(tmp_path):
    stored(tmp_path / "set", "train", range(30))
    loaded = datasets.load_dataset(str(tmp_path / "set"))
    loaded.save_to_disk(tmp_path / "saved")
    loaded["train"].save_to_disk(tmp_path / "single")
    expected = load_set(tmp_path / "set").fingerprint()
    assert load_set(tmp_path / "saved").fingerprint() == expected
    assert load_set(tmp_path / "single").fingerprint() == expected


def test_a_stream_gives_the_same_pictures_as_the_stored_data_set(tmp_path):
    stored(tmp_path / "set", "train", range(60))
    stored(tmp_path / "set", "validation", range(60, 90))
    plain, stream = load_set(tmp_path / "set"), load_set(tmp_path / "set", streaming=True)
    assert stream.train.size is None
    assert list(stream.train.rows()) == list(plain.train.rows())
    assert stream.validation.counts() == plain.validation.counts()
    assert stream.fingerprint() == plain.fingerprint()


def test_a_stream_gives_bytes_as_they_are_stored_whatever_its_columns_are_called(tmp_path):
    stored(tmp_path / "set", "train", range(30))
    (tmp_path / "named").mkdir()
    whole = datasets.load_dataset(str(tmp_path / "set"), split="train")
    whole.rename_columns({"image": "img", "label": "fine_label"}).to_parquet(
        tmp_path / "named" / "train.parquet"
    )
    data = load_set(tmp_path / "named", streaming=True)
    assert keys(data.train) | keys(data.validation) == {key_of(png(n)) for n in range(30)}


def test_a_stream_is_divided_by_key(tmp_path):
    stored(tmp_path / "set", "train", range(200))
    data = load_set(tmp_path / "set", streaming=True, train_val_split=0.25, split_seed=4)
    held = keys(data.validation)
    assert held == {key for n in range(200) if rank(4, key := key_of(png(n))) < 0.25}
    assert keys(data.train) == {key_of(png(number)) for number in range(200)} - held


def test_a_stream_keeps_the_sides_of_an_earlier_run(tmp_path):
    stored(tmp_path / "set", "train", range(60))
    first = load_set(tmp_path / "set")
    run = remember(first, tmp_path / "run")
    second = load_set(tmp_path / "set", remembered=run, streaming=True, split_seed=9)
    assert keys(second.validation) == keys(first.validation)


def test_a_limit_on_a_stream_takes_the_first_of_each_class_and_stops(tmp_path):
    stored(tmp_path / "set", "train", range(90))
    data = load_set(tmp_path / "set", streaming=True, max_train_samples=7)
    rows = list(data.train.rows())
    assert data.train.counts() == {"cat": 3, "dog": 2, "emu": 2}
    assert len(rows) == 7


def test_a_stream_is_not_read_further_than_its_limit(tmp_path):
    stored(tmp_path / "set", "train", range(30))
    names = [*NAMES, "fox"]  # which would be an error
    stored(tmp_path / "set", "other", range(30), labels=[0, 1, 2, 0, 1, 2, *[3] * 24], names=names)
    train, other = (str(tmp_path / "set" / f"{name}.parquet") for name in ("train", "other"))
    config = DataConfig(train_file=train, validation_file=other, streaming=True, max_eval_samples=6)
    assert load_data(config).validation.counts() == {"cat": 2, "dog": 2, "emu": 2}


def test_a_stream_of_text_labels_has_its_classes_gathered(tmp_path):
    labels = [("10", "9", "2")[number % 3] for number in range(30)]
    stored(tmp_path / "set", "train", range(30), labels=labels, names=None)
    data = load_set(tmp_path / "set", streaming=True)
    assert data.labels.names == ("2", "9", "10")
    assert any("read once for its 3 class names" in note for note in data.notes)
    assert data.fingerprint() != load_set(tmp_path / "set").fingerprint()  # other sides
    everything = [(row.key, data.labels.names[row.label]) for row in data.train.rows()]
    everything += [(row.key, data.labels.names[row.label]) for row in data.validation.rows()]
    assert sorted(everything) == sorted((key_of(png(n)), labels[n]) for n in range(30))


def test_shards_of_a_stream_share_its_rows_out(tmp_path):
    stored(tmp_path / "set", "train", range(30))
    train = load_set(tmp_path / "set", streaming=True).train
    rows = list(train.rows())
    assert [list(train.rows(shard, 2)) for shard in (0, 1)] == [rows[0::2], rows[1::2]]


def test_a_class_in_a_stream_that_training_lacks_stops_when_it_comes(tmp_path):
    stored(tmp_path / "set", "train", range(30))
    stored(tmp_path / "set", "other", range(30), names=["cat", "dog", "fox"])
    train, other = (str(tmp_path / "set" / f"{name}.parquet") for name in ("train", "other"))
    data = load_data(DataConfig(train_file=train, validation_file=other, streaming=True))
    with pytest.raises(DataError, match=r"row 2 is of the class 'fox'.*they have cat, dog and emu"):
        list(data.validation.rows())


def test_unlabelled_rows_of_a_stream_are_listed(tmp_path):
    stored(tmp_path / "set", "train", range(6), labels=[0, 1, None, 2, -1, 0])
    stored(tmp_path / "set", "validation", range(30))
    rows = list(load_set(tmp_path / "set", streaming=True).train.rows())
    without = "it has no label"
    assert [row.problem for row in rows] == [None, None, without, None, without, None]


def test_streaming_says_where_it_changes_nothing(photos):
    assert any("--streaming changes nothing" in n for n in load(photos, streaming=True).notes)


def test_taking_keys_holds_one_picture_at_a_time(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(40):
            (tmp_path / name / f"{number}.png").write_bytes(name.encode() + bytes([number] * 2**20))
    load(tmp_path)
    tracemalloc.start()
    try:
        data = load(tmp_path)
        for _ in data.train.rows():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.train.size == 68
    assert peak < 8 * 2**20
