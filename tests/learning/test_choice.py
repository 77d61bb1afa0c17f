"""Which candidates are learned from, and what is said of the others."""

import pytest

from lensnet.errors import DataError
from lensnet.grades.grade import Grade
from lensnet.learning.choice import choose

KNOWN = {name: {"file": f"{name}.npy", "score": 0.5} for name in "abcdef"}


def chosen(*files, c_as="none", known=KNOWN):
    grades = [[Grade(*cells) for cells in file] for file in files]
    return choose(grades, known, "lens", "nonlens", c_as)


def test_a_and_b_are_lenses_x_is_none_and_c_is_left_out():
    file = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "X")]
    found = chosen(file)
    assert [(one.id, one.label) for one in found.chosen] == [
        ("a", "lens"),
        ("b", "lens"),
        ("d", "nonlens"),
    ]
    assert found.grades == {"A": 1, "B": 1, "C": 1, "X": 1}
    (remark,) = found.remarks
    assert "1 candidates are graded C and are left out: c." in remark and "--c-as" in remark
    assert {one.id: one.label for one in chosen(file, c_as="other").chosen}["c"] == "nonlens"
    assert {one.id: one.label for one in chosen(file, c_as="lens").chosen}["c"] == "lens"


def test_graders_who_contradict_each_other_decide_by_their_number():
    files = [
        [("a", "A", "x"), ("b", "X", "x"), ("c", "X", "x")],
        [("a", "X", "y"), ("b", "X", "y"), ("c", "A", "y")],
        [("a", "B", "z"), ("b", "C", "z")],
    ]
    found = chosen(*files)
    assert {one.id: one.label for one in found.chosen} == {"a": "lens", "b": "nonlens"}
    (remark,) = found.remarks
    assert "1 candidates are graded a lens by as many as say that they are none" in remark
    assert "c" in remark.partition("left out: ")[2]


def test_the_last_grade_of_a_grader_stays():
    found = chosen([("a", "A", "x"), ("b", "X", "x"), ("a", "X", "x")])
    assert {one.id: one.label for one in found.chosen}["a"] == "nonlens"
    assert "a was A, then X" in found.remarks[0]


def test_ids_that_are_not_among_the_scores_are_left_out():
    found = chosen([("a", "A"), ("b", "X"), ("zzz", "A")])
    assert [one.id for one in found.chosen] == ["a", "b"]
    assert "1 graded candidates are not among the scores and are left out: zzz." in found.remarks
    with pytest.raises(DataError, match="None of the 1 graded candidates is in the scores"):
        chosen([("zzz", "A")])


def test_one_class_alone_is_said():
    assert (
        "All 2 candidates are of one class, nonlens" in chosen([("a", "X"), ("b", "X")]).remarks[0]
    )


def test_no_candidate_left_is_refused_in_one_line():
    with pytest.raises(DataError, match="No graded candidate is left to learn from") as caught:
        chosen([("a", "C"), ("b", "C")])
    assert "\n" not in str(caught.value) and "2 candidates are graded C" in str(caught.value)
