"""Table files: CSV, JSON lines and parquet, with columns found by type and name or as named."""

import csv
import json
import os
import socket

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from hf_resnet.data.cifar10 import as_png
from hf_resnet.errors import DataError


def png(number):
    return as_png(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def pictures(tmp_path):
    """Four pictures in a folder beside the table."""
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(png(number))
    return [f"pictures/{number}.png" for number in range(4)]


def load(path, **more):
    return load_data(DataConfig(train_file=str(path), **more), make_validation=False)


def table(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def named(data):
    """(class, bytes) of each row."""
    return [(data.labels.names[row.label], row.data) for row in data.train.rows()]


EXPECTED = [("cat", png(0)), ("dog", png(1)), ("cat", png(2)), ("dog", png(3))]
LABELS = ["cat", "dog", "cat", "dog"]


def test_csv_with_paths_that_start_at_its_own_folder(tmp_path, pictures):
    lines = [f"{path},{label}" for path, label in zip(pictures, LABELS, strict=True)]
    data = load(table(tmp_path / "a.csv", "\n".join(["path,label", *lines])))
    assert named(data) == EXPECTED
    assert next(data.train.rows()).origin == str(tmp_path / "pictures" / "0.png")


def test_paths_may_be_absolute(tmp_path, pictures):
    (tmp_path / "other").mkdir()
    lines = [f"{tmp_path / path},{label}" for path, label in zip(pictures, LABELS, strict=True)]
    data = load(table(tmp_path / "other" / "a.csv", "\n".join(["file,species", *lines])))
    assert named(data) == EXPECTED


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_of_a_csv_is_found_and_a_byte_order_mark_is_no_part_of_a_name(
    tmp_path, pictures, separator
):
    rows = [
        separator.join((path, f'"{label}"')) for path, label in zip(pictures, LABELS, strict=True)
    ]
    text = "\n".join([separator.join(("image", "label")), *rows])
    path = table(tmp_path / "a.csv", "\ufeff" + text)
    assert named(load(path, image_column_name="image")) == EXPECTED


def test_json_lines_with_paths(tmp_path, pictures):
    rows = [
        json.dumps({"file_name": path, "label": label, "boxes": [[0, 0, 1, 1]]})
        for path, label in zip(pictures, LABELS, strict=True)
    ]
    assert named(load(table(tmp_path / "a.jsonl", "\n".join(rows)))) == EXPECTED
    assert named(load(table(tmp_path / "a.json", f"[{','.join(rows)}]"))) == EXPECTED


def test_blanks_around_a_class_name_are_no_part_of_it(tmp_path, pictures):
    lines = [f"{path}, {label} " for path, label in zip(pictures, LABELS, strict=True)]
    assert named(load(table(tmp_path / "a.csv", "\n".join(["path,label", *lines])))) == EXPECTED


def test_class_names_in_text_tables_stay_as_they_are_written(tmp_path, pictures):
    lines = [
        f"{path},{name}" for path, name in zip(pictures, ["01", "NA", "None", "1"], strict=True)
    ]
    data = load(table(tmp_path / "a.csv", "\n".join(["path,label", *lines])))
    assert set(data.labels.names) == {"01", "1", "NA", "None"}


def test_a_name_may_hold_the_separator_a_line_break_and_rare_line_breaks(tmp_path, pictures):
    names = ["a,b", "c\nd", "e\u2028f", "g"]
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *zip(pictures, names, strict=True)])
    assert set(load(tmp_path / "a.csv").labels.names) == set(names)
    rows = [
        json.dumps({"path": p, "label": n}, ensure_ascii=False)
        for p, n in zip(pictures, names, strict=True)
    ]
    assert set(load(table(tmp_path / "a.jsonl", "\n".join(rows))).labels.names) == set(names)


def test_numbers_and_booleans_become_class_names(tmp_path, pictures):
    rows = [
        json.dumps({"path": p, "label": n}) for p, n in zip(pictures, [10, 9.0, 2, 10], strict=True)
    ]
    assert load(table(tmp_path / "a.jsonl", "\n".join(rows))).labels.names == ("2", "9", "10")
    rows = [
        json.dumps({"path": p, "label": n})
        for p, n in zip(pictures, [True, False] * 2, strict=True)
    ]
    assert load(table(tmp_path / "b.jsonl", "\n".join(rows))).labels.names == ("False", "True")


def test_a_row_without_a_label_or_a_picture_is_listed_and_does_not_stop_the_run(tmp_path, pictures):
    paths, labels = [*pictures, "pictures/none.png", ""], [*LABELS[:3], "", "dog", "dog"]
    lines = [f"{path},{label}" for path, label in zip(paths, labels, strict=True)]
    data = load(table(tmp_path / "a.csv", "\n".join(["path,label", *lines])))
    assert data.train.size == 6
    problems = {row.origin: row.problem for row in data.train.rows() if row.problem}
    assert problems == {
        str(tmp_path / "pictures" / "3.png"): "it has no label",
        str(tmp_path / "pictures" / "none.png"): "no such file",
        f"{tmp_path / 'a.csv'} row 5": "no picture in this row",
    }
    assert data.train.counts() == {"cat": 2, "dog": 1}


def stored(path, columns, **types):
    """A parquet file as the `datasets` library writes it."""
    features = datasets.Dataset.from_dict(columns).features.copy()
    datasets.Dataset.from_dict(columns, datasets.Features({**features, **types})).to_parquet(path)
    return path


def cells(numbers=range(4)):
    return [{"bytes": png(number), "path": None} for number in numbers]


def test_parquet_with_pictures_and_declared_classes_keeps_their_order(tmp_path):
    path = stored(
        tmp_path / "a.parquet",
        {"img": cells(), "species": [1, 0, 1, 0], "note": list("wxyz")},
        img=datasets.Image(),
        species=datasets.ClassLabel(names=["dog", "cat"]),
    )
    data = load(path)
    assert data.labels.names == ("dog", "cat")
    assert named(data) == EXPECTED
    assert next(data.train.rows()).origin == f"{path} row 0"


CELLS = {
    "bytes": pa.array([png(number) for number in range(4)], pa.binary()),
    "large bytes": pa.array([png(number) for number in range(4)], pa.large_binary()),
    "bytes and paths": pa.array([{"bytes": png(n), "path": f"{n}.png"} for n in range(4)]),
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_parquet_of_bytes_without_declared_types(tmp_path, cells):
    pq.write_table(pa.table({"picture": cells, "label": LABELS}), tmp_path / "a.parquet")
    assert named(load(tmp_path / "a.parquet")) == EXPECTED


def test_parquet_of_paths(tmp_path, pictures):
    pq.write_table(pa.table({"path": pictures, "label": LABELS}), tmp_path / "a.parquet")
    assert named(load(tmp_path / "a.parquet")) == EXPECTED


def test_parquet_of_paths_is_streamed_and_a_column_of_paths_is_known_by_its_cells(
    tmp_path, pictures
):
    pq.write_table(pa.table({"where": pictures, "what": LABELS}), tmp_path / "a.parquet")
    for streaming in (False, True):
        data = load(tmp_path / "a.parquet", streaming=streaming, label_column_name="what")
        assert named(data) == EXPECTED


def test_parquet_of_numbers_without_names(tmp_path):
    pq.write_table(pa.table({"image": cells(), "label": [10, 9, 10, None]}), tmp_path / "a.parquet")
    decimals = pa.table({"image": cells(), "label": [10.0, 9.0, 10.0, float("nan")]})
    pq.write_table(decimals, tmp_path / "b.parquet")
    for name in ("a.parquet", "b.parquet"):
        data = load(tmp_path / name)
        assert data.labels.names == ("9", "10")
        assert [row.label for row in data.train.rows()] == [1, 0, 1, None]


def test_a_column_called_label_may_hold_the_pictures(tmp_path):
    path = stored(
        tmp_path / "a.parquet", {"label": cells(), "image": LABELS}, label=datasets.Image()
    )
    assert named(load(path, label_column_name="image")) == EXPECTED


def test_two_columns_of_classes_are_told_apart_by_name_or_asked_about(tmp_path):
    either = datasets.ClassLabel(names=["a", "b"])
    columns = {"image": cells(), "coarse": [0, 1, 0, 1], "fine": [1, 0, 1, 0]}
    path = stored(
        tmp_path / "a.parquet", columns, image=datasets.Image(), coarse=either, fine=either
    )
    with pytest.raises(DataError, match=r"cannot tell which column .* holds the classes.*coarse"):
        load(path)
    assert [row.label for row in load(path, label_column_name="fine").train.rows()] == [1, 0, 1, 0]
    columns = {"image": cells(), "coarse_label": [0, 1, 0, 1], "fine_label": [1, 0, 1, 0]}
    types = {"image": datasets.Image(), "coarse_label": either, "fine_label": either}
    path = stored(tmp_path / "b.parquet", columns, **types)
    assert [row.label for row in load(path).train.rows()] == [1, 0, 1, 0]


def test_two_columns_of_pictures_are_asked_about(tmp_path):
    columns = {"left": cells(), "right": cells(range(4, 8)), "label": LABELS}
    path = stored(tmp_path / "a.parquet", columns, left=datasets.Image(), right=datasets.Image())
    with pytest.raises(
        DataError, match=r"holds the pictures.*left \(picture\).*--image_column_name"
    ):
        load(path)
    assert named(load(path, image_column_name="left")) == EXPECTED


def test_the_only_column_left_is_the_label_unless_it_is_a_number_of_the_row(tmp_path, pictures):
    lines = [f"{path},{label}" for path, label in zip(pictures, LABELS, strict=True)]
    assert named(load(table(tmp_path / "a.csv", "\n".join(["weird,odd", *lines])))) == EXPECTED
    with pytest.raises(DataError, match="no classes to learn"):
        load(table(tmp_path / "b.csv", "\n".join(["path,image_id", *lines])))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "path,label\n", "has no rows"),
        ("a.csv", "", "has no rows"),
        ("a.csv", "path,label\na.png,x,y\n", "line 2 has more cells"),
        ("a.csv", 'path,label\na.png,"x', "is not CSV"),
        ("a.jsonl", '{"path": "a.png"', "line 1 is not JSON"),
        ("a.jsonl", "3\n", "one object a line"),
        ("a.jsonl", '{"path": "a.png", "label": "x"}\n{"path": ', "line 2 is not JSON"),
        ("a.txt", "x", r"ends in \.csv"),
        ("a.parquet", "not parquet", "cannot read"),
    ],
)
def test_a_broken_table_is_an_error_that_says_where(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        load(table(tmp_path / name, text))


def test_a_missing_table_or_column_is_an_error_with_the_nearest_names(tmp_path, pictures):
    path = table(tmp_path / "birds.csv", f"path,label\n{pictures[0]},x\n")
    with pytest.raises(DataError, match=r"did you mean birds\.csv"):
        load(tmp_path / "bird.csv")
    with pytest.raises(DataError, match=r"no column 'lable'.*did you mean label"):
        load(path, label_column_name="lable")
    with pytest.raises(DataError, match="did you mean --train_dir"):
        load(tmp_path / "pictures")


def test_a_pipe_is_no_table_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"a\.csv is a pipe or a device; --train_file takes a file"):
        load(tmp_path / "a.csv")


def test_a_text_file_in_another_encoding_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes("path,label\na.png,caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="save it as UTF-8"):
        load(tmp_path / "a.csv")


def test_labels_that_are_no_classes_are_an_error(tmp_path):
    pq.write_table(pa.table({"image": cells(), "label": [0.5, 1, 2, 3]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="name one of"):
        load(tmp_path / "a.parquet", image_column_name="label")
    with pytest.raises(DataError, match=r"whole number or a boolean, got 0\.5"):
        load(tmp_path / "a.parquet")
    weights = pa.table({"image": cells(), "weight": [0.5, 1, 2, 3]})
    pq.write_table(weights, tmp_path / "b.parquet")
    with pytest.raises(DataError, match="no classes to learn"):
        load(tmp_path / "b.parquet")


def test_parquet_splits_whose_classes_are_declared_in_another_order_meet_by_name(tmp_path):
    def file(name, order, numbers):
        return stored(
            tmp_path / name,
            {"image": cells(range(len(numbers))), "label": numbers},
            image=datasets.Image(),
            label=datasets.ClassLabel(names=order),
        )

    train = file("train.parquet", ["cat", "dog", "emu"], [0, 1, 2, 0])
    test = file("test.parquet", ["emu", "cat"], [0, 1, 1, 0])
    data = load(train, test_file=str(test))
    assert [data.labels.names[row.label] for row in data.test.rows()] == [
        "emu",
        "cat",
        "cat",
        "emu",
    ]


def test_a_declared_class_that_no_picture_has_is_no_class(tmp_path):
    path = stored(
        tmp_path / "a.parquet",
        {"image": cells(), "label": [0, 2, 0, 2]},
        image=datasets.Image(),
        label=datasets.ClassLabel(names=["cat", "unicorn", "dog"]),
    )
    data = load(path)
    assert named(data) == EXPECTED
    assert any("no class for unicorn" in note for note in data.notes)


def test_a_web_address_in_a_table_is_a_row_with_a_problem_and_is_never_asked_for(
    tmp_path, pictures, monkeypatch
):
    def refused(*_):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    addresses = ["http://127.0.0.1:9/a.png", "https://example.org/b.jpg"]
    lines = [f"{path},cat" for path in addresses] + [f"{path},dog" for path in pictures]
    lines.append(f"{pictures[0]},cat")
    text = "\n".join(["path,label", *lines])
    rows = [
        json.dumps(dict(zip(("path", "label"), line.split(","), strict=True))) for line in lines
    ]
    for path in (table(tmp_path / "a.csv", text), table(tmp_path / "a.jsonl", "\n".join(rows))):
        problems = {row.origin: row.problem for row in load(path).train.rows() if row.problem}
        assert problems == dict.fromkeys(addresses, "a web address is not fetched")


def test_a_doubled_quote_in_a_csv_is_a_quote_in_the_name(tmp_path, pictures):
    names = ['the "big" cat', 'dog, "small"', '"', "x"]
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *zip(pictures, names, strict=True)])
    assert '"the ""big"" cat"' in (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert set(load(tmp_path / "a.csv").labels.names) == set(names)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        (
            '{"path": "a.png", "label": ' + '{"a":' * 50_000 + "1" + "}" * 50_001,
            "nested too deeply",
        ),
        ('{"path": "a.png", "label": ' + "1" * 6000 + "}", "a number of too many digits"),
    ],
)
def test_json_that_no_reader_holds_is_one_line(tmp_path, line, message):
    for name in ("a.jsonl", "a.json"):
        with pytest.raises(DataError, match=message) as caught:
            load(table(tmp_path / name, line if name == "a.jsonl" else f"[{line}]"))
        assert len(str(caught.value)) < 300


def test_what_is_no_number_is_no_label_and_half_a_letter_is_written_out(tmp_path, pictures):
    labels = ["NaN", "1e400", "-Infinity", r'"\ud83d"', '"cat"', "1e300"]
    rows = [f'{{"path": "{pictures[0]}", "label": {label}}}' for label in labels]
    rows[-2] = rows[-2].replace('"path"', r'"\ud800": "\udc00", "path"')
    data = load(
        table(tmp_path / "a.jsonl", "\n".join(rows)),
        image_column_name="path",
        label_column_name="label",
    )
    assert set(data.labels.names) == {r"\ud83d", "cat", str(int(1e300))}
    problems = [row.problem for row in data.train.rows()]
    assert problems == ["it has no label"] * 3 + [None] * 3


def test_the_name_of_a_file_stays_as_it_is_written(tmp_path):
    composed, apart = "caf\u00e9", "cafe\u0301"
    (tmp_path / f"{apart}.png").write_bytes(png(1))
    (tmp_path / "2.png").write_bytes(png(2))
    data = load(table(tmp_path / "a.csv", f"path,label\n{apart}.png,{apart}\n2.png,b\n"))
    assert named(data) == [(composed, png(1)), ("b", png(2))]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_number_outside_the_declared_classes_is_one_line_or_a_row_with_a_problem(
    tmp_path, streaming
):
    path = stored(
        tmp_path / "good.parquet",
        {"image": cells(), "label": [0, 1, 0, 1]},
        image=datasets.Image(),
        label=datasets.ClassLabel(names=["dog", "cat"]),
    )
    whole = pq.read_table(path)
    for number in (7, -5, 2**62):
        broken = whole.set_column(1, "label", pa.array([0, number, 1, 1], pa.int64()))
        broken = broken.replace_schema_metadata(whole.schema.metadata)
        pq.write_table(broken, tmp_path / f"{number}.parquet")
        try:
            problems = [
                row.problem
                for row in load(tmp_path / f"{number}.parquet", streaming=streaming).train.rows()
            ]
        except DataError as exc:
            assert "\n" not in str(exc)
        else:
            assert problems == [None, "it has no label", None, None]


@pytest.mark.parametrize("flag", ["train_file", "dataset_name"])
def test_the_library_draws_no_bars_for_what_lies_on_this_machine(tmp_path, capsys, flag):
    (tmp_path / "set").mkdir()
    path = stored(
        tmp_path / "set" / "train.parquet",
        {"image": cells(), "label": LABELS},
        image=datasets.Image(),
    )
    name = path if flag == "train_file" else tmp_path / "set"
    capsys.readouterr()
    data = load_data(DataConfig(**{flag: str(name)}), make_validation=False)
    assert data.train.size == 4
    assert capsys.readouterr().err == ""
    assert not datasets.are_progress_bars_disabled()
