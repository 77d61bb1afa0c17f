"""Small sets are divided exactly, whatever their classes and groups are."""

import random

import numpy as np
import pytest

from lensnet.data.sources.splits import assign_split
from lensnet.data.sources.stratified_splits import LARGE_CLASS, divide

FRACTIONS = (0.8, 0.1, 0.1)
SPLITS = ("train", "validation", "test")


def keys_of(**sizes):
    """Keys and labels of classes of some size."""
    labels = [name for name, size in sizes.items() for _ in range(size)]
    return [f"{name}/{i}" for name, size in sizes.items() for i in range(size)], labels


def counts(splits, labels, label):
    return np.bincount(
        [s for s, of in zip(splits, labels, strict=True) if of == label], minlength=3
    )


def test_forty_images_of_each_of_three_classes():
    """By the hash alone validation had 2, 5 and 5, the test 8, 6 and 3."""
    keys, labels = keys_of(no=40, sphere=40, vort=40)
    for seed in range(10):
        splits = divide(keys, labels, seed, FRACTIONS)
        assert all(counts(splits, labels, name).tolist() == [32, 4, 4] for name in set(labels))


def test_seventeen_rows_of_a_regression():
    keys, labels = keys_of(row=17)
    for seed in range(10):
        splits = divide(keys, [""] * 17, seed, FRACTIONS)
        assert [splits.count(number) for number in range(3)] == [13, 2, 2]


def test_each_class_and_the_whole_come_within_one_example_of_the_fractions():
    sizes = random.Random(0)
    for seed in range(40):
        keys, labels = keys_of(**{name: sizes.randint(10, 60) for name in "abcde"[: seed % 5 + 1]})
        fractions = np.array([FRACTIONS, (0.65, 0.2, 0.15), (0.9, 0.1, 0.0)][seed % 3])
        splits = divide(keys, labels, seed, fractions)
        assert np.abs(np.bincount(splits, minlength=3) - len(keys) * fractions).max() <= 1
        for name in set(labels):
            of_class = counts(splits, labels, name)
            assert np.abs(of_class - of_class.sum() * fractions).max() <= 1


@pytest.mark.parametrize("rare", [3, 4, 6])
def test_no_class_of_three_or_more_lacks_a_split(rare):
    keys, labels = keys_of(common=3000, rare=rare)
    for seed in range(20):
        splits = divide(keys, labels, seed, FRACTIONS)
        assert counts(splits, labels, "rare").min() >= 1


def test_the_order_of_the_files_and_the_place_of_a_class_decide_nothing():
    keys, labels = keys_of(a=25, b=13)
    once = dict(zip(keys, divide(keys, labels, 0, FRACTIONS), strict=True))
    shuffled = random.Random(1).sample(list(zip(keys, labels, strict=True)), len(keys))
    again = divide(*zip(*shuffled, strict=True), 0, FRACTIONS)
    assert dict(zip([key for key, _ in shuffled], again, strict=True)) == once


def test_a_new_file_moves_two_old_examples_of_a_class_at_most_and_few_do():
    moved = []
    for seed in range(60):
        keys, labels = keys_of(a=20 + seed, b=40)
        before = divide(keys, labels, seed, FRACTIONS)
        after = divide([*keys, "a/new"], [*labels, "a"], seed, FRACTIONS)
        changed = [la for x, y, la in zip(before, after, labels, strict=False) if x != y]
        assert max(changed.count("a"), changed.count("b")) <= 2
        moved.append(len(changed))
    assert np.mean(moved) < 0.6


def test_a_large_class_is_divided_by_the_hash_alone_and_no_new_file_moves_any():
    keys, labels = keys_of(a=LARGE_CLASS)
    splits = [SPLITS[number] for number in divide(keys, labels, 5, FRACTIONS)]
    assert splits == [assign_split(5, key, FRACTIONS) for key in keys]
    # What is small is cut from the same order: little moves where a class becomes a large one.
    smaller = divide(keys[:-1], labels[:-1], 5, FRACTIONS)
    assert sum(SPLITS[one] != other for one, other in zip(smaller, splits, strict=False)) < 60


def test_groups_stay_together_and_the_fractions_hold_within_one():
    sizes = random.Random(0)
    for seed in range(10):
        keys, labels = [], []
        for group in range(40):
            for _ in range(sizes.randint(1, 4)):
                keys.append(f"object {group}")
                labels.append("ab"[group % 2])
        splits = divide(keys, labels, seed, FRACTIONS)
        assert len(set(zip(keys, splits, strict=True))) == 40
        for name in "ab":
            of_class = counts(splits, labels, name)
            assert np.abs(of_class - of_class.sum() * np.array(FRACTIONS)).max() <= 4


def test_a_group_of_several_classes_counts_to_the_rarest():
    """Three fields of ten hold the lenses: each split gets one of them."""
    keys = [f"field {number}" for number in range(10) for _ in range(8)]
    labels = ["lens" if place % 8 == 0 and place < 24 else "galaxy" for place in range(80)]
    for seed in range(10):
        splits = divide(keys, labels, seed, FRACTIONS)
        assert len(set(zip(keys, splits, strict=True))) == 10
        assert counts(splits, labels, "lens").tolist() == [1, 1, 1]


def test_fewer_groups_than_splits_train_first():
    assert divide(["one"] * 5, ["a"] * 5, 0, FRACTIONS) == [0] * 5
