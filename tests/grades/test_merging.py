"""Merging graders, and the command that does it."""

import pytest
from click.testing import CliRunner

from lensnet.cli.main import cli
from lensnet.csv_tables import read_dicts
from lensnet.errors import DataError, RunError
from lensnet.grades import Grade, merge_grades, read_grades
from lensnet.grades.merging import MergedGrade, known_candidates


def grades(text, grader, **known):
    """Returns grades of candidates 1, 2, ... by their letters; a dot is none."""
    return [
        Grade(str(number), letter, grader, **known)
        for number, letter in enumerate(text, start=1)
        if letter != "."
    ]


def test_majority_mean_and_ties():
    def majority(letters):
        return MergedGrade(tuple(Grade("1", letter) for letter in letters)).majority

    assert [majority(letters) for letters in ("AAX", "AB", "AXBC", "AXB", "AAXX")] == [
        "A",
        "B",  # as near to the mean: the lower one
        "C",
        "B",  # nearest to the mean, 5/3
        "X",
    ]
    merged = merge_grades([grades("ABX", "ann"), grades("AXX", "bob"), grades(".C.", "cat")])
    assert [candidate.majority for candidate in merged.candidates] == ["A", "C", "X"]
    assert [candidate.points for candidate in merged.candidates] == [3, 1, 0]
    assert merged.graders == ("ann", "bob", "cat")


def test_of_one_grader_the_last_grade_stays():
    late = [Grade("1", "A", "ann", time="2026-01-02T00:00:00Z")]
    early = [Grade("1", "X", "ann", time="2026-01-01T00:00:00Z")]
    for files in ([late, early], [early, late]):
        merged = merge_grades(files)
        assert merged.candidates[0].majority == "A"
        assert merged.repeated == ((early[0], late[0]),)
    # Without times, by the order of the files.
    merged = merge_grades([grades("A", "ann"), grades("X", "ann")])
    assert [candidate.majority for candidate in merged.candidates] == ["X"]


def test_ids_that_are_not_in_the_scores(tmp_path):
    scores = tmp_path / "scores.csv"
    scores.write_text("id,file,ra,score_lens,mag\n2,b.npy,10.5,0.75,21\n1,a.npy,,0.5,22\n")
    known = known_candidates(scores, ["1", "2", "3"])
    assert known["1"] == {"file": "a.npy", "ra": None, "score_lens": 0.5}
    merged = merge_grades([grades("ABX", "ann")], known)
    assert [candidate.grades[0].id for candidate in merged.candidates] == ["1", "2"]
    assert merged.unknown == ("3",)
    with pytest.raises(DataError, match="None of the 1 graded candidates is in the scores"):
        merge_grades([[Grade("J9", "A")]], known)


def test_the_command(tmp_path):
    (tmp_path / "scores.csv").write_text("id,file,score_lens\nJ1,'=a.npy,0.75\nJ2,b.npy,0.5\n")
    (tmp_path / "ann.csv").write_text(
        "id,grade,comment\nJ1,A,=arc\nJ2,X,\nJ2,B,\nJ7,A,\nJ8,A,\n", encoding="utf-8"
    )
    (tmp_path / "bob.csv").write_text("id,grade\nJ1,B\nJ2,B\n")
    output = tmp_path / "grades.csv"
    files = [str(tmp_path / name) for name in ("ann.csv", "bob.csv")]
    arguments = ["grades", "merge", *files, "-o", str(output)]
    with_scores = [*arguments, "--scores", str(tmp_path / "scores.csv")]
    result = CliRunner().invoke(cli, with_scores, catch_exceptions=False)
    assert result.exit_code == 0
    assert "2 candidates by 2 graders" in result.output
    assert "Graded again by the same grader: 1. The last grade stays" in result.output
    assert "ann on J2: X, then B" in result.output
    assert "2 graded candidates are not in the scores and are left out: J7, J8." in result.output
    assert "ann and bob" in result.output
    first, second = read_dicts(output)
    assert first["id"] == "J1" and first["grade"] == "B" and first["grader"] == "ann;bob"
    assert first["comment"] == "ann: =arc" and first["mean_points"] == "2.5"
    assert first["mean_grade"] == "B" and first["agreeing"] == "0.5" and first["votes_A"] == "1"
    assert first["file"] == "=a.npy" and first["score_lens"] == "0.75"
    assert second["grade"] == "B" and second["votes_X"] == "0"
    # What is written is a file of grades again.
    assert [given.grade for given in read_grades(output)] == ["B", "B"]
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, RunError) and "--overwrite" in str(result.exception)
    output.write_text("name,notes\n1,mine\n")
    result = CliRunner().invoke(cli, [*arguments, "--overwrite"])
    assert isinstance(result.exception, RunError) and output.read_text().startswith("name")
