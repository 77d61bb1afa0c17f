"""Folds: each example in one, classes divided exactly, groups kept together."""

import random

import numpy as np
import pytest

from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.folds import (
    assign_folds,
    assign_simulated_fold,
    check_fold_counts,
    check_folds_listed,
    fold_names,
    splits_of_fold,
)
from lensnet.data.sources.splits import SplitPlan
from lensnet.errors import ConfigurationError, DataError


def listed(group_of=lambda name: "", **sizes):
    ids = [(f"{label}/{index}", label) for label, size in sizes.items() for index in range(size)]
    return [Example(id=name, label=label, group=group_of(name)) for name, label in ids]


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_each_class_is_divided_evenly(folds):
    examples = listed(lens=47, galaxy=203)
    for seed in range(5):
        found = assign_folds(examples, folds, seed)
        for label, size in (("lens", 47), ("galaxy", 203)):
            of_class = [fold for fold, e in zip(found, examples, strict=True) if e.label == label]
            counts = [of_class.count(name) for name in fold_names(folds)]
            assert sum(counts) == size
            assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("stratify", [True, False])
def test_groups_stay_together_and_the_order_decides_nothing(stratify):
    examples = listed(lambda name: name.split("/")[0] + str(int(name.split("/")[1]) // 3), a=60)
    found = assign_folds(examples, 4, 1, stratify=stratify)
    by_group = {}
    for fold, example in zip(found, examples, strict=True):
        by_group.setdefault(example.group, set()).add(fold)
    assert all(len(folds) == 1 for folds in by_group.values())
    shuffled = random.Random(0).sample(examples, len(examples))
    again = assign_folds(shuffled, 4, 1, stratify=stratify)
    assert dict(zip((e.id for e in shuffled), again, strict=True)) == dict(
        zip((e.id for e in examples), found, strict=True)
    )
    assert found != assign_folds(examples, 4, 2, stratify=stratify)


@pytest.mark.parametrize("folds", [3, 4, 7])
def test_every_fold_is_tested_once_and_validated_once(folds):
    names = set(fold_names(folds))
    splits = [splits_of_fold(folds, fold) for fold in range(folds)]
    assert {of.test for of in splits} == {of.validation for of in splits} == names
    for of in splits:
        parts = [of.test, of.validation, *of.train.split("+")]
        assert sorted(parts) == sorted(names)


def test_more_simulated_images_move_none():
    few = SplitPlan.make(None, (), 3, folds=5).assign_simulated(listed(lens=23, galaxy=23))
    many = SplitPlan.make(None, (), 3, folds=5).assign_simulated(listed(lens=40, galaxy=40))
    assert many[:23] == few[:23] and many[40:63] == few[23:]
    counts = np.unique(many[:40], return_counts=True)[1]
    assert counts.tolist() == [8] * 5
    assert assign_simulated_fold(3, "lens", 22, 5) == few[22]


def test_more_folds_than_examples_or_groups_of_a_class():
    check_folds_listed(listed(a=5, b=9), ("a", "b"), 5)
    with pytest.raises(ConfigurationError, match=r'the class "a" has 5 examples\. .*: 3 to 5') as e:
        check_folds_listed(listed(a=5, b=9), ("a", "b"), 6)
    assert e.value.key == "training.folds"
    pairs = listed(lambda name: name[:-1], a=8)
    with pytest.raises(ConfigurationError, match="8 examples in 1 group, fewer than the three"):
        check_folds_listed(pairs, ("a",), 3)
    targets = [Example(id=str(index)) for index in range(4)]
    with pytest.raises(ConfigurationError, match="the data have 4 examples"):
        check_folds_listed(targets, (), 5)


def test_bad_files_may_leave_a_fold_without_a_class():
    counts = {"fold_0": {"a": 2, "b": 1}, "fold_1": {"a": 2, "b": 1}, "fold_2": {"a": 2}}
    with pytest.raises(DataError, match='fold_2 of 3 has no image of the class "b"'):
        check_fold_counts(counts, ("a", "b"), 3)


def test_the_fingerprint_knows_the_folds_and_not_which_is_tested():
    one, other = (SplitPlan.make(None, (), 0, folds=folds) for folds in (3, 5))
    assert one.description != other.description
    assert one.description == SplitPlan.make(None, (), 0, folds=3).description
    assert SplitPlan.make(None, (), 0).description != one.description
    with pytest.raises(ConfigurationError, match="bring their own splits"):
        SplitPlan.make(None, ("train", "test"), 0, folds=3)
