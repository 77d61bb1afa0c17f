"""Files of grades: of our pages, of spreadsheets, and of Zooniverse."""

import csv
import json

import pytest

from lensnet.errors import ConfigurationError, DataError
from lensnet.grades import Grade, GradeFormat, read_grades
from lensnet.grades.reading import parse_names


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_a_page(tmp_path):
    path = write(
        tmp_path / "g.csv",
        "id,grade,grader,comment,time,page,score\n"
        '0012,A,ann,"arc, maybe",2026-01-02T03:04:05.000Z,ab12,0.99\n'
        "1.50,X,ann,,2026-01-02T03:04:06.000Z,ab12,0.98\n"
        "3,,ann,no grade yet,2026-01-02T03:04:07.000Z,ab12,0.97\n"
        "'=1+1,c,ann,,,ab12,0.96\n",
    )
    assert read_grades(path) == [
        Grade("0012", "A", "ann", "arc, maybe", "2026-01-02T03:04:05.000Z"),
        Grade("1.50", "X", "ann", "", "2026-01-02T03:04:06.000Z"),
        Grade("=1+1", "C", "ann", "", ""),
    ]


@pytest.mark.parametrize(
    "text",
    ["# by Ann\nName;Vote\nJ1;a\nJ2;B: probable\n", "\ufeffobject\tlabel\nJ1\tA\nJ2\tgrade b\n"],
)
def test_columns_and_separators_are_found(tmp_path, text):
    path = write(tmp_path / "ann.csv", text)
    assert read_grades(path) == [Grade("J1", "A", "ann"), Grade("J2", "B", "ann")]


def test_a_column_for_each_grader_and_words_with_a_meaning(tmp_path):
    path = write(tmp_path / "all.csv", "source,Ann,Bob\n1,3,0\n2,,skip\n")
    names = parse_names(["3=A", "0=x", "Skip="])
    how = GradeFormat(id_column="source", grade_columns=("Ann", "Bob"), names=names)
    assert read_grades(path, how) == [Grade("1", "A", "Ann"), Grade("1", "X", "Bob")]


def test_a_table_that_is_not_text(tmp_path):
    from astropy.table import Table

    Table({"id": ["J1", "J2"], "grade": ["A", "X"]}).write(tmp_path / "bob.vot", format="votable")
    assert read_grades(tmp_path / "bob.vot") == [Grade("J1", "A", "bob"), Grade("J2", "X", "bob")]


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("id,mark\n1,A\n", GradeFormat(), "no column for the grade. Name it by --grade-column"),
        ("a,grade\n1,A\n", GradeFormat(), "no column for the candidate. Name it by --id-column"),
        ("id,grade\n1,A\n", GradeFormat(id_column="idd"), 'no column idd. Did you mean "id"'),
        ("id,grade\n1,lens\n2,A\n3,lens\n", GradeFormat(), '2 of 3 grades .* "lens" \\(2\\)'),
        ("id,grade\n1,\n", GradeFormat(), "holds no grade"),
        ("", GradeFormat(), "is empty"),
    ],
)
def test_what_cannot_be_read(tmp_path, text, how, message):
    with pytest.raises(DataError, match=message):
        read_grades(write(tmp_path / "g.csv", text), how)


def test_meanings_that_say_nothing():
    for pair in ("lens", "lens=D", "=A"):
        with pytest.raises(ConfigurationError, match="VALUE=GRADE"):
            parse_names([pair])


def panoptes(path, rows):
    """Writes an export of classifications: (user, time, annotations, metadata of the subject)."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,"
            "workflow_version,created_at,gold_standard,expert,metadata,annotations,subject_data,"
            "subject_ids".split(",")
        )
        for number, (user, time, annotations, metadata) in enumerate(rows):
            subject = {str(900 + number): {"retired": {"id": 5, "state": "x"}, **metadata}}
            cells = [number, user, "", "a1", 1, "Lenses", "1.2", time, "", "", "{}"]
            writer.writerow([*cells, json.dumps(annotations), json.dumps(subject), 900 + number])
    return path


def test_an_export_of_zooniverse(tmp_path):
    question = {"task": "T1", "task_label": "What is it?"}
    path = panoptes(
        tmp_path / "lenses-classifications.csv",
        [
            (
                "ann",
                "2026-02-03 04:05:06 UTC",
                [{"task": "T0", "value": "blue"}, {**question, "value": "**A**: certain lens"}],
                {"#id": "J1", "Filename": "p.png"},
            ),
            ("not-logged-in-b52", "2026-02-03 04:05:07 UTC", [{**question, "value": "Not a lens"}],
             {"Filename": "cut/J2.png"}),
            ("ann", "2026-02-03 04:05:08 UTC", [{**question, "value": None}], {"!id": "J3"}),
            (
                "ann",
                "2026-02-03 04:05:09 UTC",
                [{"task": "T4", "value": [{**question, "value": "B: probable"}]}],
                {},
            ),
        ],
    )  # fmt: skip
    how = GradeFormat(names=parse_names(["Not a lens=X"]))
    assert read_grades(path, how) == [
        Grade("J1", "A", "ann", "", "2026-02-03T04:05:06Z"),
        Grade("J2", "X", "not-logged-in-b52", "", "2026-02-03T04:05:07Z"),
        Grade("903", "B", "ann", "", "2026-02-03T04:05:09Z"),
    ]
    with pytest.raises(DataError, match='"Not a lens" \\(1\\)'):
        read_grades(path)
    with pytest.raises(DataError, match="no answers to the task T7. Its tasks: T0, T1"):
        read_grades(path, GradeFormat(task="T7"))
    with pytest.raises(DataError, match="subject 901 has no id"):
        read_grades(path, GradeFormat(id_column="id", names=how.names))


def test_an_export_that_a_spreadsheet_has_cut(tmp_path):
    path = panoptes(tmp_path / "e.csv", [("ann", "", [{"task": "T0", "value": "A"}], {"id": "1"})])
    path.write_text(path.read_text().replace('""A""}]', ""))
    with pytest.raises(DataError, match="row 2: its annotations are not JSON"):
        read_grades(path)
