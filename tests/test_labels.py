import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_resnet.errors import LabelError
from hf_resnet.labels import (
    Labels,
    Surgery,
    compile_rows,
    natural_order,
    split_names,
    unique_names,
)

IMAGENET = Labels(("tabby, tabby cat", "tiger cat", "Persian cat", "zebra", "crane", "crane (517)"))
WORDS = st.text("abcdefghij", min_size=1, max_size=6)
CLASSES = st.lists(WORDS, min_size=3, max_size=12, unique=True).map(lambda n: Labels(tuple(n)))


def names(rows):
    return [row.name for row in rows]


def test_a_name_is_found_exactly_then_without_case_then_by_a_part_between_commas():
    assert IMAGENET.find("zebra") == 3
    assert IMAGENET.find("ZEBRA") == 3
    assert IMAGENET.find("tabby") == 0
    assert IMAGENET.find("Tabby Cat") == 0
    assert IMAGENET.find("tabby,tabby cat") == 0


TWINS = Labels(("tabby, tabby cat", "tiger cat", "Persian cat", "zebra", "crane", "crane (5)"))


def test_an_exact_name_wins_over_a_part_of_another():
    labels = Labels(("maillot", "maillot, tank suit"))
    assert labels.find("maillot") == 0
    assert labels.find("tank suit") == 1


def test_a_part_that_several_classes_share_is_refused_with_their_names():
    labels = Labels(("cat, tabby", "cat, tiger"))
    message = r"could be 'cat, tabby' \(cat#0\) or 'cat, tiger' \(cat#1\); write the whole name, or"
    with pytest.raises(LabelError, match=message):
        labels.find("cat")


def test_an_unknown_name_gets_the_nearest_offered():
    with pytest.raises(LabelError, match="no class is called 'zbra'; did you mean zebra"):
        IMAGENET.find("zbra")


def test_a_name_like_no_other_gets_the_classes_listed():
    with pytest.raises(LabelError, match="no class is called 'qqqq'; the classes are tabby"):
        IMAGENET.index("qqqq")


@pytest.mark.parametrize("bad", [("a", "a"), ("a", ""), ("a", "  ")])
def test_classes_are_named_once_and_not_by_nothing(bad):
    with pytest.raises(LabelError):
        Labels(bad)


def test_keep_leaves_the_named_classes_in_the_models_order():
    rows = compile_rows(IMAGENET, Surgery(keep=("zebra", "tabby")))
    assert names(rows) == ["tabby, tabby cat", "zebra"]
    assert [row.sources for row in rows] == [(0,), (3,)]


def test_drop_removes_only_the_named_classes():
    assert names(compile_rows(IMAGENET, Surgery(drop=("tabby", "crane")))) == [
        "tiger cat",
        "Persian cat",
        "zebra",
        "crane (517)",
    ]


def test_renamed_and_merged_classes_stay_without_being_kept_by_name():
    rows = compile_rows(
        IMAGENET,
        Surgery(
            keep=("zebra",),
            rename={"crane": "bird"},
            merge={"cat": ("tabby", "tiger cat")},
            add=("unicorn",),
        ),
    )
    assert [(row.name, row.sources, row.origin) for row in rows] == [
        ("cat", (0, 1), "merged"),
        ("zebra", (3,), "kept"),
        ("bird", (4,), "kept"),
        ("unicorn", (), "added"),
    ]


def test_two_names_can_be_swapped():
    rows = compile_rows(Labels(("a", "b")), Surgery(rename={"a": "b", "b": "a"}))
    assert [(row.name, row.sources) for row in rows] == [("b", (0,)), ("a", (1,))]


def test_a_merged_class_may_take_the_name_of_a_member():
    rows = compile_rows(Labels(("a", "b", "c")), Surgery(merge={"a": ("a", "b")}))
    assert names(rows) == ["a", "c"]


def test_a_list_of_labels_gives_exactly_that_order_and_adds_what_is_missing():
    rows = compile_rows(IMAGENET, Surgery(labels=("zebra", "unicorn", "tabby")))
    assert [(row.name, row.sources) for row in rows] == [
        ("zebra", (3,)),
        ("unicorn", ()),
        ("tabby", (0,)),
    ]


@pytest.mark.parametrize(
    ("surgery", "message"),
    [
        (Surgery(keep=("zebra", "zebra")), "named 2 times"),
        (Surgery(keep=("zebra", "tabby"), drop=("zebra",)), "cannot both stay and be dropped"),
        (Surgery(rename={"zebra": "horse"}, drop=("zebra",)), "cannot both stay and be dropped"),
        (Surgery(merge={"x": ("tabby", "zebra"), "y": ("zebra", "crane")}), "named 2 times"),
        (Surgery(merge={"cat": ("tabby",)}), "two classes or more"),
        (Surgery(rename={"zebra": "tiger cat"}), "two classes would be called 'tiger cat'"),
        (Surgery(add=("zebra",)), "two classes would be called 'zebra'"),
        (Surgery(keep=("zebra",)), "at least two classes"),
        (Surgery(drop=IMAGENET.names), "at least two classes"),
        (Surgery(add=("a", "a")), "two classes would be called 'a'"),
        (Surgery(labels=("zebra", "Zebra")), "named 2 times"),
    ],
)
def test_surgery_that_cannot_be_is_refused(surgery, message):
    with pytest.raises(LabelError, match=message):
        compile_rows(IMAGENET, surgery)


def test_nothing_to_change_is_refused():
    with pytest.raises(LabelError, match="nothing to change"):
        Surgery()


def test_a_list_of_labels_stands_alone():
    with pytest.raises(LabelError, match="stands alone"):
        Surgery(labels=("a",), drop=("b",))


@given(CLASSES, st.data())
def test_every_row_of_the_old_head_ends_in_at_most_one_new_row(labels, data):
    dropped = data.draw(st.lists(st.sampled_from(labels.names), max_size=1))
    left = [name for name in labels.names if name not in dropped]
    merged = data.draw(st.lists(st.sampled_from(left), min_size=2, max_size=3, unique=True))
    surgery = Surgery(drop=tuple(dropped), merge={"merged!": tuple(merged)}, add=("new!",))
    rows = compile_rows(labels, surgery)
    used = [index for row in rows for index in row.sources]
    assert len(used) == len(set(used)) == len(labels) - len(dropped)
    assert {row.name for row in rows if row.origin == "kept"} == set(left) - set(merged)
    for row in rows:
        if row.origin == "kept":
            assert labels.names[row.sources[0]] == row.name


@given(CLASSES, st.data())
def test_keeping_some_equals_dropping_the_others(labels, data):
    kept = data.draw(st.lists(st.sampled_from(labels.names), min_size=2, unique=True))
    others = tuple(name for name in labels.names if name not in kept)
    if others:
        by_drop = compile_rows(labels, Surgery(drop=others))
        assert compile_rows(labels, Surgery(keep=tuple(kept))) == by_drop


def test_ten_comes_after_two():
    assert natural_order(["10", "2", "b", "A", "a10", "a9"]) == ("2", "10", "A", "a9", "a10", "b")


@given(st.lists(st.text(max_size=8)))
def test_natural_order_neither_loses_nor_depends_on_the_order_given(words):
    assert sorted(natural_order(words)) == sorted(words)
    assert natural_order(words) == natural_order(reversed(words))


def test_names_with_commas_are_taken_whole_where_they_are_known():
    assert split_names("tabby, tabby cat,zebra", IMAGENET) == ("tabby, tabby cat", "zebra")
    assert split_names("tabby,zebra", IMAGENET) == ("tabby", "zebra")
    assert split_names(" a ,, b ") == ("a", "b")


@given(st.lists(st.sampled_from(["crane", "crane (1)", "zebra"]), max_size=8))
def test_names_given_twice_are_told_apart(given_names):
    found = unique_names(given_names)
    assert len(found) == len(given_names)
    if len(set(given_names)) == len(given_names):
        assert found == tuple(given_names)


def test_a_name_that_two_classes_came_with_is_refused_and_its_index_tells_them_apart():
    """ImageNet has two classes 'crane', and unique_names made 'crane (517)' of the second."""
    with pytest.raises(LabelError, match=r"'crane' \(crane#4\) or 'crane \(5\)' \(crane#5\)"):
        TWINS.find("crane")
    assert TWINS.find("crane#4") == 4
    assert TWINS.find("crane#5") == TWINS.find("crane (5)") == 5
    kept = compile_rows(TWINS, Surgery(keep=("crane#4", "zebra")))
    assert [row.name for row in kept] == ["zebra", "crane"]
    assert TWINS.find("zebra") == 3


def test_an_index_is_taken_only_with_a_name_that_may_mean_that_class():
    for text in ("crane#3", "zebra#4", "#3", "crane#", "crane#99", "crane#-1", "crane#\u0664"):
        with pytest.raises(LabelError, match="no class is called"):
            TWINS.find(text)
    assert Labels(("c#1", "c")).find("c#1") == 0


def test_a_list_of_exact_names_may_hold_both_of_two_twins():
    rows = compile_rows(TWINS, Surgery(labels=("crane (5)", "crane")))
    assert [row.sources for row in rows] == [(5,), (4,)]


def test_a_name_that_no_file_can_hold_is_refused():
    with pytest.raises(LabelError, match=r"no file can hold the class name 'a\\ud800'"):
        Labels(("a\ud800", "b"))


def test_numbers_of_thousands_of_digits_are_sorted_as_numbers():
    long = "1" + "0" * 6000
    assert natural_order([long, "2", "010", "9", "0", long[:-1]]) == (
        "0",
        "2",
        "9",
        "010",
        long[:-1],
        long,
    )
