"""Which pictures are the same: hashes, views, and the indexes that find what is near."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hf_resnet.checks.index import near_hashes, neighbours
from hf_resnet.checks.looks import RADIUS, SAME, apart, hash_of, view_of
from hf_resnet.checks.same import groups
from hf_resnet.checks.survey import survey
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from hf_resnet.images import decode
from tests.conftest import photo, png
from tests.test_checks_contract import jpeg, looked

CHANGES = {
    "saved as JPEG": lambda picture: decode(jpeg(picture, 60)),
    "half as large": lambda picture: picture.resize((48, 36)),
    "larger": lambda picture: picture.resize((301, 222), Image.Resampling.NEAREST),
    "a little squashed": lambda picture: picture.resize((80, 72)),
}


def views(*pictures):
    return np.array([np.frombuffer(view_of(each), np.uint8) for each in pictures])


def differing(one, other):
    return (hash_of(one) ^ hash_of(other)).bit_count()


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_saved_anew_or_resized_looks_the_same(change):
    for seed in range(40):
        picture = photo(seed)
        changed = CHANGES[change](picture)
        assert differing(picture, changed) <= RADIUS
        assert apart(views(picture), views(changed))[0] <= SAME


def test_other_pictures_do_not():
    shown = views(*(photo(seed) for seed in range(60)))
    for number in range(60):
        apart_N = apart(shown, shown[number : number + 1])
        assert (np.delete(apart_N, number) > 2 * SAME).all()


def test_even_pictures_are_told_apart_by_their_colour():
    red, blue = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    assert apart(views(red), views(blue))[0] > 1
    assert apart(views(red), views(red))[0] == 0
    darker = Image.new("RGB", (40, 40), (225, 0, 0))
    assert apart(views(red), views(darker))[0] > SAME


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12, unique=True),
    st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), max_size=9)), max_size=12),
)
def test_no_two_near_hashes_are_missed(plain, changes):
    turned = [plain[start % len(plain)] ^ sum(1 << bit for bit in bits) for start, bits in changes]
    hashes = list(dict.fromkeys([*plain, *turned]))
    wanted = {
        (one, other)
        for one in range(len(hashes))
        for other in range(one + 1, len(hashes))
        if (hashes[one] ^ hashes[other]).bit_count() <= RADIUS
    }
    got = {
        tuple(sorted(pair))
        for one, other in near_hashes(np.array(hashes, np.uint64))
        for pair in zip(one.tolist(), other.tolist(), strict=True)
    }
    assert got == wanted


def test_neighbours_are_the_nearest_others_and_never_the_picture_itself():
    random = np.random.default_rng(0)
    unit_MR = random.normal(size=(400, 16)).astype(np.float32)
    unit_MR[200:] = unit_MR[:200]  # each has a copy
    unit_MR /= np.linalg.norm(unit_MR, axis=1, keepdims=True)
    position_MC, apart_MC = neighbours(unit_MR, 3, workers=1)
    assert (position_MC != np.arange(400)[:, None]).all()
    assert (position_MC[:200, 0] == np.arange(200, 400)).all()
    assert np.allclose(apart_MC[:, 0], 0, atol=1e-5)
    exact_MM = 1 - unit_MR @ unit_MR.T
    np.fill_diagonal(exact_MM, 9)
    assert np.allclose(apart_MC[:, 1], np.sort(exact_MM, axis=1)[:, 1], atol=1e-4)


def test_copies_find_each_other_however_many_workers_there_are():
    random = np.random.default_rng(0)
    unit_MR = random.normal(size=(8192, 32))
    # where two workers share the pictures, each is at a copy while the other is at its original
    unit_MR[2048:4096] = unit_MR[:2048] + random.normal(0, 0.02, (2048, 32))
    unit_MR[6144:] = unit_MR[4096:6144] + random.normal(0, 0.02, (2048, 32))
    unit_MR = (unit_MR / np.linalg.norm(unit_MR, axis=1, keepdims=True)).astype(np.float32)
    position_MC, _ = neighbours(unit_MR, 1, workers=2)
    assert (position_MC[:, 0] == np.arange(8192) ^ 2048).all()


@pytest.mark.slow
def test_of_50000_pictures_no_planted_pair_is_missed():
    random, many = np.random.default_rng(0), 50_000
    one_P, other_P = random.permutation(many)[:400].reshape(2, 200)
    unit_MR = random.normal(size=(many, 32)) + random.normal(size=(100, 32))[np.arange(many) % 100]
    unit_MR[other_P] = unit_MR[one_P] + random.normal(0, 0.05, (200, 32))
    unit_MR = (unit_MR / np.linalg.norm(unit_MR, axis=1, keepdims=True)).astype(np.float32)
    position_MC, _ = neighbours(unit_MR, 3, workers=2)
    assert (position_MC[one_P, 0] == other_P).all()
    hash_U = random.integers(0, 2**64, many, dtype=np.uint64)
    bits_P7 = random.integers(0, 64, (200, RADIUS), dtype=np.uint64)
    hash_U[other_P] = hash_U[one_P] ^ np.bitwise_or.reduce(np.uint64(1) << bits_P7, axis=1)
    planted = {frozenset(pair) for pair in zip(one_P.tolist(), other_P.tolist(), strict=True)}
    for one_Q, other_Q in near_hashes(hash_U):
        planted -= {frozenset(pair) for pair in zip(one_Q.tolist(), other_Q.tolist(), strict=True)}
    assert not planted


def test_no_number_of_pictures_is_odd():
    for pictures in (2, 3, 4097):
        unit_MR = np.random.default_rng(0).normal(size=(pictures, 4)).astype(np.float32)
        unit_MR /= np.linalg.norm(unit_MR, axis=1, keepdims=True)
        position_MC, _ = neighbours(unit_MR, 1, workers=1)
        assert (position_MC >= 0).all()


def test_where_there_are_fewer_pictures_the_places_stay_empty():
    unit_MR = np.eye(2, 4, dtype=np.float32)
    position_MC, apart_MC = neighbours(unit_MR, 3, workers=1)
    assert position_MC.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert np.isinf(apart_MC[:, 1:]).all()
    assert neighbours(unit_MR[:1], 3, workers=1)[0].tolist() == [[-1, -1, -1]]


def test_copies_are_grouped_whatever_they_were_saved_as(tmp_path):
    for number in range(4):
        folder = tmp_path / "train" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}-0.png").write_bytes(png(photo(number)))
        (folder / f"{number}-1.png").write_bytes(png(photo(number)))
        (folder / f"{number}-2.jpg").write_bytes(jpeg(photo(number)))
        (folder / f"{number}-3.png").write_bytes(png(photo(number).resize((60, 45))))
        (folder / f"{number}-single.png").write_bytes(png(photo(50 + number)))
    found = looked(tmp_path)
    named = [sorted(found.origins[at].rsplit("/")[-1] for at in group) for group in groups(found)]
    assert sorted(named) == [
        [f"{number}-{copy}.{'jpg' if copy == 2 else 'png'}" for copy in range(4)]
        for number in range(4)
    ]


def test_small_drawings_that_look_alike_are_not_taken_for_the_same():
    data = load_data(DataConfig(dataset_name="sample:digits"), make_validation=False)
    assert not groups(survey(data, workers=1))
