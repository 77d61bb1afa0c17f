"""A split is a pure function of (seed, id), evenly filled, and checked before it is used."""

import logging

import pytest

from lensnet.config.sections import Splits
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.splits import (
    SplitPlan,
    assign_simulated_split,
    assign_split,
    check_listed,
    check_splits,
)
from lensnet.errors import ConfigurationError, DataError

IDS = [f"lens/{index}" for index in range(5000)]


def test_fractions_are_kept():
    splits = [assign_split(0, name, (0.7, 0.2, 0.1)) for name in IDS]
    for split, fraction in (("train", 0.7), ("validation", 0.2), ("test", 0.1)):
        # Four standard deviations of a binomial.
        tolerance = 4 * (fraction * (1 - fraction) * len(IDS)) ** 0.5
        assert abs(splits.count(split) - fraction * len(IDS)) < tolerance


def test_the_split_depends_on_seed_and_id_alone():
    once = {name: assign_split(3, name) for name in IDS}
    assert {name: assign_split(3, name) for name in reversed(IDS[:100])} == {
        name: once[name] for name in IDS[:100]
    }
    assert {name: assign_split(4, name) for name in IDS} != once


def test_splits_are_those_of_every_version():
    """Changing the hash would silently move examples between the splits of users' data."""
    assert [assign_split(0, f"lens/{index}") for index in range(12)] == EXPECTED
    assert "".join(assign_simulated_split(0, "lens", index)[0] for index in range(20)) == SIMULATED


EXPECTED = [
    "train",
    "validation",
    "train",
    "train",
    "train",
    "train",
    "train",
    "train",
    "train",
    "test",
    "train",
    "train",
]
SIMULATED = "tttttttvtttttttttvtt"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stream", ["lens", "nonlens", "image"])
def test_simulated_images_are_split_evenly(seed, stream):
    splits = [assign_simulated_split(seed, stream, index) for index in range(100)]
    for end in range(10, 101, 10):
        counts = [splits[:end].count(name) for name in ("train", "validation", "test")]
        assert counts == [8 * end // 10, end // 10, end // 10]
    fine = [assign_simulated_split(seed, stream, index, (0.65, 0.2, 0.15)) for index in range(1000)]
    assert abs(fine.count("train") - 650) <= 10 and abs(fine.count("test") - 150) <= 10


def test_simulated_images_are_not_split_by_their_number_modulo_ten():
    tests = [index for index in range(200) if assign_simulated_split(0, "lens", index) == "test"]
    assert len({index % 10 for index in tests}) > 5


def test_copies_of_an_object_share_its_split():
    copies = [Example(id=f"a/{index}", group="object") for index in range(50)]
    for stratify in (True, False):
        plan = SplitPlan.make(None, (), 0, stratify=stratify)
        others = [Example(id=f"b/{index}") for index in range(50)]
        assert len(set(plan.assign([*copies, *others])[:50])) == 1


def test_what_is_known_to_be_bad_takes_nobodys_place():
    plan = SplitPlan.make(None, (), 0)
    good = [Example(id=f"a/{index}", label="a") for index in range(30)]
    bad = [Example(id=f"a/x{index}", label="a", problem="unreadable") for index in range(30)]
    assert plan.assign([*bad, *good])[30:] == plan.assign(good)


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.9, 0.05, 0.05)])
def test_four_simulated_images_of_a_class_serve_every_split(fractions):
    plan = SplitPlan(fractions, 0)
    for count in (3, 4, 9, 10):
        images = [Example(id=f"{c}/{i}", label=c) for c in ("lens", "other") for i in range(count)]
        splits = plan.assign_simulated(images)
        for of_class in (splits[:count], splits[count:]):
            assert set(of_class) == {"train", "validation", "test"}


def test_what_was_prepared_before_small_classes_were_divided_exactly_keeps_its_name():
    """The description is part of the fingerprint, by which records are found again."""
    plan = SplitPlan.make(None, (), 3, stratify=False)
    assert plan.description == {"fractions": (0.8, 0.1, 0.1), "seed": 3, "cut": ()}
    assert plan.description != SplitPlan.make(None, (), 3).description
    own = ("train", "validation", "test")
    kept = {"fractions": None, "seed": None, "cut": ()}
    assert SplitPlan.make(None, own, 3).description == kept


# --- plans ----------------------------------------------------------------------------------------


def slices(train="train", validation="validation", test="test"):
    return Splits(train=train, validation=validation, test=test)


def test_own_splits_are_kept():
    plan = SplitPlan.make(None, ("test", "train", "validation"), 0)
    assert plan.cut == () and plan.seed is None
    assert plan.assign([Example(id="val/a/1", split="validation")]) == ["validation"]


def test_a_small_split_is_cut_exactly():
    plan = SplitPlan.make(None, ("train", "validation"), 0)
    examples = [Example(id=f"a/{index}", label="a", split="train") for index in range(40)]
    examples.insert(7, Example(id="val/a/1", label="a", split="validation"))
    assigned = plan.assign(examples)
    assert assigned[7] == "validation" and assigned.count("validation") == 1
    assert assigned.count("test") == 4


@pytest.mark.parametrize("own", [("train", "validation"), ("train", "test"), ("train",)])
def test_a_missing_split_is_cut_from_training(own):
    plan = SplitPlan.make(None, own, 0)
    missing = set(plan.cut)
    assert missing | set(own) == {"train", "validation", "test"}
    assigned = plan.assign([Example(id=name, split="train") for name in IDS])
    for split in missing:
        assert abs(assigned.count(split) / len(IDS) - 0.1) < 0.02
    assert set(assigned) == missing | {"train"}


def test_slices_that_name_no_missing_split_cut_nothing():
    plan = SplitPlan.make(
        slices("train[:90%]", "train[90%:]", "validation"), ("train", "validation"), 0
    )
    assert plan.cut == ()
    assert set(plan.assign([Example(id=name, split="train") for name in IDS[:100]])) == {"train"}


def test_fractions_of_a_source_with_splits_are_refused():
    with pytest.raises(ConfigurationError, match="bring their own splits"):
        SplitPlan.make(Splits(train=0.8, validation=0.1, test=0.1), ("train", "test"), 0)


# --- checks ---------------------------------------------------------------------------------------


def test_a_class_with_two_images():
    examples = [Example(id=f"a/{i}", label="a") for i in range(9)]
    examples += [Example(id=f"b/{i}", label="b") for i in range(2)]
    with pytest.raises(DataError, match='needs 3 images at least.*"b" has 2'):
        check_listed(examples, ("a", "b"))
    check_listed([*examples, Example(id="b/2", label="b")], ("a", "b"))


def test_a_training_split_without_a_class():
    counts = {"train": {"a": 5}, "validation": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}
    with pytest.raises(DataError, match=r'no image of the class "b".*train: 5 \(a 5, b 0\)'):
        check_splits(counts, ("a", "b"))


def test_an_empty_split():
    counts = {"train": {"a": 5, "b": 5}, "validation": {}, "test": {"a": 1, "b": 1}}
    with pytest.raises(DataError, match="The validation split is empty"):
        check_splits(counts, ("a", "b"))
    with pytest.raises(DataError, match="The training split has no image"):
        check_splits({"train": {}, "validation": {"": 1}, "test": {"": 1}}, ())


def test_a_class_missing_from_the_test_split_is_a_warning(caplog):
    counts = {"train": {"a": 5, "b": 5}, "validation": {"a": 1, "b": 1}, "test": {"a": 1}}
    with caplog.at_level(logging.WARNING):
        check_splits(counts, ("a", "b"))
    assert "The test split has no image of b" in caplog.text
