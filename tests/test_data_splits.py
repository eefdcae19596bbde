"""Splits by content: stratified, disjoint, and deaf to file order, names and additions."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_resnet.data.rows import key_of
from hf_resnet.data.splits import Plan, Record, Side, drawn, held_out, quotas, rank, read_record
from hf_resnet.errors import DataError

shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 5)


@st.composite
def collections_of_pictures(draw):
    """(key, class) of pictures; some are identical, and some of those stand under two classes."""
    count = draw(st.integers(0, 60))
    contents = draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    classes = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    return [(key_of(bytes([each])), name) for each, name in zip(contents, classes, strict=True)]


def chosen(pictures, plan):
    return held_out([key for key, _ in pictures], [name for _, name in pictures], plan)


def distinct(count, name="a"):
    return [(key_of(f"{name}{number}".encode()), name) for number in range(count)]


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 80)), shares, seeds)
def test_each_class_gives_its_share_but_at_least_one_and_keeps_at_least_one(sizes, share, seed):
    pictures = [each for name, size in sizes.items() for each in distinct(size, name)]
    validation = chosen(pictures, Plan(seed, share))
    counted = Counter(name for key, name in pictures if key in validation)
    for name, size in sizes.items():
        if size == 1:
            assert counted[name] == 0
        else:
            assert 1 <= counted[name] <= size - 1
            assert abs(counted[name] - share * size) <= 1


@given(collections_of_pictures(), shares, seeds, st.randoms())
def test_the_order_of_the_files_decides_nothing(pictures, share, seed, chance):
    shuffled = list(pictures)
    chance.shuffle(shuffled)
    assert chosen(pictures, Plan(seed, share)) == chosen(shuffled, Plan(seed, share))


@given(collections_of_pictures(), shares, seeds)
def test_only_pictures_that_are_there_are_chosen_and_never_all_of_them(pictures, share, seed):
    keys = {key for key, _ in pictures}
    assert chosen(pictures, Plan(seed, share)) < keys or not keys


@given(collections_of_pictures(), shares, seeds)
def test_a_copy_of_a_picture_changes_no_side(pictures, share, seed):
    plan = Plan(seed, share)
    assert chosen(pictures, plan) == chosen([*pictures, *pictures], plan)


@given(st.integers(2, 60), st.integers(0, 60), shares, seeds)
def test_pictures_added_to_one_class_leave_the_others_as_they_were(size, more, share, seed):
    plan, others = Plan(seed, share), distinct(20, "b")
    before = chosen([*distinct(size), *others], plan)
    after = chosen([*distinct(size + more), *others], plan)
    theirs = {key for key, _ in others}
    assert before & theirs == after & theirs


@given(collections_of_pictures(), collections_of_pictures(), shares, seeds)
def test_pictures_known_from_an_earlier_run_keep_their_side(old, new, share, seed):
    first = chosen(old, Plan(seed, share))
    known = {key: "validation" if key in first else "train" for key, _ in old}
    added = [(key, name) for key, name in new if key not in known]
    second = chosen([*old, *added], Plan(seed + 1, share, known))
    for key, _ in old:
        assert (key in second) == (key in first)


def test_new_pictures_bring_a_remembered_split_back_to_its_share():
    old, new = distinct(20), distinct(100)
    known = dict.fromkeys((key for key, _ in old), "train")
    assert len(chosen(new, Plan(0, 0.2, known))) == 20
    known |= dict.fromkeys((key for key, _ in old[:10]), "validation")
    assert len(chosen(new, Plan(0, 0.2, known))) == 20


def test_a_class_whose_pictures_left_are_all_held_out_is_split_anew():
    pictures = distinct(10)
    known = dict.fromkeys((key for key, _ in pictures), "validation")
    assert chosen(pictures, Plan(0, 0.2, known)) == chosen(pictures, Plan(0, 0.2))


def test_a_class_whose_only_picture_stands_under_another_too_can_still_learn_it():
    pictures = [*distinct(2, "a"), (distinct(1, "a")[0][0], "b"), (distinct(2, "a")[1][0], "c")]
    assert chosen(pictures, Plan(0, 0.5)) == set()


def test_another_seed_chooses_others():
    assert chosen(distinct(50), Plan(0, 0.2)) != chosen(distinct(50), Plan(1, 0.2))


def test_a_picture_under_two_classes_counts_where_it_stands_most_often():
    (shared, _), (mine, _) = distinct(1, "shared")[0], distinct(1, "b")[0]
    pictures = [*distinct(1, "a"), (mine, "b"), (shared, "a"), (shared, "b"), (shared, "b")]
    held = [chosen(pictures, Plan(seed, 0.5)) for seed in range(20)]
    assert set.union(*held) == {shared, mine}


@given(st.text(max_size=8), seeds, shares)
def test_a_stream_has_each_picture_on_exactly_one_side(text, seed, share):
    key, plan = key_of(text.encode()), Plan(seed, share)
    assert Side(plan, "train").has(key) != Side(plan, "validation").has(key)


def test_a_stream_holds_out_about_the_share_and_keeps_known_sides():
    keys = [key for key, _ in distinct(2000)]
    plan = Plan(0, 0.2, {keys[0]: "validation", keys[1]: "train"})
    side = Side(plan, "validation")
    assert 350 < sum(side.has(key) for key in keys) < 450
    assert side.has(keys[0]) and not side.has(keys[1])


def test_what_has_no_key_is_listed_with_the_training_pictures():
    assert Side(Plan(0, 0.99), "train").has("")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 200))
def test_quotas_are_as_even_as_the_counts_allow(counts, most):
    given_out = quotas(counts, most)
    assert sum(given_out) == min(most, sum(counts))
    assert all(got <= count for got, count in zip(given_out, counts, strict=True))
    open_classes = [got for got, count in zip(given_out, counts, strict=True) if got < count]
    if open_classes:
        assert max(given_out) <= min(open_classes) + 1


@given(collections_of_pictures(), st.integers(0, 40), seeds)
def test_drawing_fewer_pictures_draws_among_the_same(pictures, most, seed):
    keys, labels = [key for key, _ in pictures], ["abc".index(name) for _, name in pictures]
    fewer, more = drawn(keys, labels, most, seed), drawn(keys, labels, most + 1, seed)
    assert fewer == sorted(fewer)
    assert len(fewer) == min(most, len(pictures))
    assert set(fewer) <= set(more)


def test_drawing_goes_by_content_not_by_place():
    pictures = distinct(30)
    keys = [key for key, _ in pictures]
    shuffled = sorted(keys, key=lambda key: key[::-1])
    first = {keys[at] for at in drawn(keys, [0] * 30, 7, seed=3)}
    assert first == {shuffled[at] for at in drawn(shuffled, [0] * 30, 7, seed=3)}


@given(st.text(), seeds)
def test_a_rank_is_a_fixed_number_from_zero_to_one(key, seed):
    assert 0 <= rank(seed, key) < 1
    assert rank(seed, key) == rank(seed, key)
    assert rank(seed, key) != rank(seed + 1, key)


def test_no_record_is_an_empty_one(tmp_path):
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        assert read_record(folder) == Record()
        assert read_record(folder).sides() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"train": 3, "validation": []}',
        '{"train": [3], "validation": []}',
        '{"train": [], "validation": [], "share": "much"}',
        '{"train": [], "validation": [], "seed": [1]}',
        "[" * 100_000,
        '{"train": [], "validation": [], "seed": ' + "1" * 6000 + "}",
    ],
)
def test_a_broken_record_is_one_line_that_names_the_file(tmp_path, text):
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(DataError, match=r"splits\.json is not") as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)


def recorded(folder):
    folder.mkdir(parents=True, exist_ok=True)
    record = {"seed": 0, "share": 0.2, "train": ["k1"], "validation": ["k2"], "test": ["k3"]}
    (folder / "splits.json").write_text(json.dumps(record))
    return folder


def test_a_record_gives_each_key_its_side(tmp_path):
    record = read_record(recorded(tmp_path))
    assert record.sides() == {"k1": "train", "k2": "validation"}
    assert record.learned == {"k1"}
    assert (record.seed, record.share) == (0, 0.2)


def test_a_record_is_not_read_through_a_link_out_of_the_model_folder(tmp_path):
    """A model folder may come from a stranger, and what is read from it may be saved again."""
    mine, theirs = recorded(tmp_path / "mine"), tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "splits.json").symlink_to(mine / "splits.json")
    with pytest.raises(DataError, match="is a link out of the model folder"):
        read_record(theirs)
    (tmp_path / "link").symlink_to(mine)
    assert read_record(tmp_path / "link").learned == {"k1"}  # the folder may be one


def test_a_record_is_found_in_the_cache_of_the_hub_which_is_made_of_links(tmp_path):
    blobs, snapshot = recorded(tmp_path / "blobs"), tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "splits.json").symlink_to(blobs / "splits.json")
    assert read_record(snapshot).learned == {"k1"}
