"""Duplicates: found whatever way they were rotated, and nothing else is."""

import itertools

import numpy as np
import pytest

from lensnet.exploration.duplicates import SAME, Forms, chosen_form, find_duplicates


def every_form(image):
    """The eight rotated and reflected forms, written without rot90."""
    flips = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
    if image.shape[0] != image.shape[1]:
        return flips
    return [*flips, *(np.swapaxes(flip, 0, 1) for flip in flips)]


def found_among(images, ids=None, splits=None, labels=None):
    forms = Forms.room_for(len(images))
    forms.add(np.stack(images))
    names = ids or [str(number) for number in range(len(images))]
    return find_duplicates(
        forms, names, splits or ["train"] * len(images), labels or ["a"] * len(images)
    )


IMAGES = {
    "noise": np.random.default_rng(0).normal(size=(6, 6, 2)).astype("float32"),
    "faint": 1e-12 * np.random.default_rng(1).normal(size=(5, 5, 1)).astype("float32"),
    "oblong": np.random.default_rng(2).normal(size=(4, 7, 1)).astype("float32"),
    # The first rows of all forms are equal: the choice must look further.
    "dark border": np.pad(
        np.random.default_rng(3).normal(size=(4, 4, 1)), ((2, 2), (2, 2), (0, 0))
    ).astype("float32"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_all_forms_of_an_image_lead_to_one(name):
    image = IMAGES[name]
    forms = every_form(image)
    assert len({chosen_form(form)[0] for form in forms}) == 1
    assert len({chosen_form(form) for form in forms}) == len(forms), "each by another way"


def test_one_pixel_makes_another_image():
    image = IMAGES["noise"]
    other = image.copy()
    other[3, 3, 0] = np.nextafter(other[3, 3, 0], np.float32(9))
    assert chosen_form(image)[0] != chosen_form(other)[0]
    swapped = image[..., ::-1]
    assert chosen_form(image)[0] != chosen_form(swapped)[0], "bands are not rotated"


def test_zero_and_minus_zero_are_equal():
    image = IMAGES["dark border"]
    assert chosen_form(image) == chosen_form(np.where(image == 0, np.float32(-0.0), image))


def test_an_image_that_is_its_own_mirror_image_is_an_exact_copy_of_it():
    half = np.random.default_rng(5).normal(size=(4, 2, 1)).astype("float32")
    image = np.concatenate([half, half[:, ::-1]], axis=1)
    (same,) = found_among([image, image[:, ::-1]])
    assert same.exact and same.members[1].change == SAME


TURNS = {
    "rotated by 90°": lambda x: np.rot90(x),
    "rotated by 180°": lambda x: np.rot90(x, 2),
    "rotated by 270°": lambda x: np.rot90(x, 3),
    "reflected": lambda x: x[:, ::-1],
    "reflected, rotated by 90°": lambda x: np.rot90(x[:, ::-1]),
    "reflected, rotated by 180°": lambda x: x[::-1],
    "reflected, rotated by 270°": lambda x: np.rot90(x[:, ::-1], 3),
}


@pytest.mark.parametrize("change", TURNS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_change_is_named(change, seed):
    image = np.random.default_rng(seed).normal(size=(5, 5, 1)).astype("float32")
    (same,) = found_among([image, TURNS[change](image)])
    assert [member.change for member in same.members] == [SAME, change]
    assert not same.exact


def test_sets_of_duplicates_and_what_is_wrong_with_them():
    rng = np.random.default_rng(0)
    a, b, c, d, alone = rng.normal(size=(5, 4, 4, 1)).astype("float32")
    images = [a, b, c, d, alone, a, np.rot90(a), b, c.copy(), d]
    splits = ["train"] * 5 + ["test", "train", "train", "train", "train"]
    labels = list("xxxxx") + ["x", "x", "x", "y", "x"]
    found = found_among(images, list("ABCDEFGHIJ"), splits, labels)
    assert [[m.id for m in same.members] for same in found] == [
        ["A", "F", "G"], ["C", "I"], ["B", "H"], ["D", "J"],
    ]  # fmt: skip
    assert [same.across_splits for same in found] == [True, False, False, False]
    assert [same.contradict for same in found] == [False, True, False, False]
    assert [same.exact for same in found] == [False, True, True, True]


def test_no_two_of_many_images_are_taken_for_one():
    # All 512 images of 3 by 3 black and white pixels, in 102 classes under rotations and mirrors:
    # https://oeis.org/A054247
    every = np.array(list(itertools.product([0, 1], repeat=9)), np.float32).reshape(-1, 3, 3, 1)
    assert len({chosen_form(image)[0] for image in every}) == 102


def test_many_copies_are_counted_and_not_all_named():
    image = IMAGES["noise"]
    (same,) = found_among([image] * 50)
    assert same.count == 50 and len(same.members) == 20
