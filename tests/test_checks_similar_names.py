"""Classes that may be one: what is told, and what is not."""

import pytest

from hf_resnet.checks.similar_names import alike

MANY = 40


def told(**counts):
    return [each.reason for each in alike({k.replace("_", " "): v for k, v in counts.items()})]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cat", "cat"), ("red panda", "Red-Panda"), ("dogs", "dog"), ("ကြောင်", "ကြောင် ")],
)
def test_names_that_differ_by_capitals_spaces_or_a_plural_are_told_whatever_their_size(one, other):
    (found,) = alike({one: MANY, other: MANY - 1, "emu": MANY})
    assert found.reason == f"{one!r} and {other!r} are named alike: are they one class?"
    assert found.score == 1


@pytest.mark.parametrize("slip", ["dgo", "doog", "dug"])
def test_a_small_class_a_letter_from_a_large_one_may_be_misspelt(slip):
    assert told(dog=MANY, emu=MANY, **{slip: 2}) == [f"{slip!r} may be 'dog' misspelt"]


@pytest.mark.parametrize("name", ["dg", "dirt", "god"])
def test_a_name_that_is_very_short_or_further_away_is_meant(name):
    assert told(dog=MANY, **{name: 2}) == []


def test_a_class_with_pictures_enough_is_meant():
    assert told(cat=MANY, bat=MANY) == []
    assert told(cat=20, bat=9) == []


def test_numbers_are_meant():
    assert told(site_1=MANY, site_2=2) == []
    assert told(**{"7": MANY, "1": 2}) == []


def test_names_of_signs_alone_are_no_pair():
    assert alike({"+": MANY, "-": MANY}) == []
