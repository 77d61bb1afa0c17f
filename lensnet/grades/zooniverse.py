"""The classifications that a Zooniverse project exports: a row each, with its answers as JSON.

The format is that of Panoptes' classification exports
(https://help.zooniverse.org/getting-started/data-exports/).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from lensnet.errors import DataError
from lensnet.grades.grade import Grade, as_grade
from lensnet.grades.grade_table import GradeTable

__all__ = ["is_panoptes_export", "panoptes_answers"]

_COLUMNS = {"classification_id", "annotations", "subject_data"}
# What the metadata of a subject call the object; hidden fields begin with # or !.
_ID_KEYS = ("id", "object_id", "objid", "name", "object", "candidate", "source_id")
_FILE_KEYS = ("file", "filename", "image", "image_name", "image_name_1")
_ENDING = re.compile(r"\.(png|jpe?g|gif|svg|fits?)$", re.IGNORECASE)

_Answers = dict[str, list[str]]
"""The texts that are answers, by task."""


def is_panoptes_export(columns: Sequence[str]) -> bool:
    """Returns whether a table is an export of classifications."""
    return set(columns) >= _COLUMNS


def panoptes_answers(
    table: GradeTable, id_key: str | None, task: str | None, names: Mapping[str, str]
) -> list[Grade]:
    """Returns the answers to the question for the grade, a row each, as they were given.

    Args:
        table: the export.
        id_key: what the metadata of the subjects call the candidate; by default the first of the
            usual names, else the image's name without its ending, else the subject's number.
        task: the task that asks for the grade; by default the first of the workflow, `T0` before
            `T1`, of which an answer is a grade.
        names: what answers mean, in lower case.

    Raises:
        DataError: the file is damaged, or has no such task or key.
    """
    answers = [_answers(table, number, row) for number, row in enumerate(table.rows, start=2)]
    tasks = sorted({name for given in answers for name in given}, key=_natural)
    if task is None:
        task = _asks_for_grade(answers, tasks, names)
    if task not in tasks:
        raise DataError(
            f"{table.path} has no answers to the task {task}. Its tasks: "
            f"{', '.join(tasks) or 'none'}."
        )
    grades = []
    for number, (row, given) in enumerate(zip(table.rows, answers, strict=True), start=2):
        texts = given.get(task, [])
        grades.append(
            Grade(
                id=_subject(table, number, row, id_key),
                # Of several answers to one question none is the grade.
                grade=texts[0] if len(texts) == 1 else " | ".join(texts),
                grader=row.get("user_name", "") or "not logged in",
                time=_iso_time(row.get("created_at", "")),
            )
        )
    return grades


def _asks_for_grade(
    answers: Sequence[_Answers], tasks: Sequence[str], names: Mapping[str, str]
) -> str:
    for task in tasks:
        if any(as_grade(text, names) for given in answers for text in given.get(task, [])):
            return task
    return tasks[0] if tasks else "T0"


def _answers(table: GradeTable, number: int, row: Mapping[str, str]) -> _Answers:
    found: _Answers = {}
    for name, text in _texts(_json(table, number, row, "annotations"), ""):
        found.setdefault(name, []).append(text)
    return found


def _texts(value: Any, task: str) -> Iterator[tuple[str, str]]:
    """Yields the answers in an annotation with their tasks, at any depth of combined tasks."""
    if isinstance(value, str):
        yield task, value
    elif isinstance(value, bool):
        yield task, "yes" if value else "no"
    elif isinstance(value, int | float):
        yield task, str(value)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, task)
    elif isinstance(value, dict):
        name = str(value.get("task", task))
        # A drop-down list says its answer as `label`, a survey as `choice`.
        for key in ("label", "choice", "value"):
            if value.get(key) is not None:
                yield from _texts(value[key], name)
                return


def _subject(table: GradeTable, number: int, row: Mapping[str, str], id_key: str | None) -> str:
    """Returns the candidate that a row is about."""
    subjects = _json(table, number, row, "subject_data")
    if not isinstance(subjects, dict) or not subjects:
        raise DataError(f"{table.path} line {number}: its subject_data name no subject.")
    subject, about = next(iter(subjects.items()))
    about = about if isinstance(about, dict) else {}
    metadata = {
        key.lstrip("#!/").strip().casefold(): str(value)
        for key, value in about.items()
        if value is not None and not isinstance(value, dict | list)
    }
    if id_key is not None:
        wanted = id_key.lstrip("#!/").strip().casefold()
        if wanted not in metadata:
            raise DataError(
                f"{table.path}: subject {subject} has no {id_key}. Its metadata: "
                f"{', '.join(about)}."
            )
        return metadata[wanted]
    for key in _ID_KEYS:
        if metadata.get(key):
            return metadata[key]
    for key in _FILE_KEYS:
        if metadata.get(key):
            return _ENDING.sub("", PurePosixPath(metadata[key]).name)
    return str(subject)


def _json(table: GradeTable, number: int, row: Mapping[str, str], column: str) -> Any:
    try:
        return json.loads(row[column])
    except (ValueError, RecursionError):
        raise DataError(
            f"{table.path} row {number}: its {column} are not JSON. Export the classifications "
            "again; a spreadsheet that has saved the file may have cut them."
        ) from None


def _iso_time(text: str) -> str:
    """Returns a time of the export, `2026-02-03 04:05:06 UTC`, as ISO 8601.

    >>> _iso_time("2026-02-03 04:05:06 UTC")
    '2026-02-03T04:05:06Z'
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(UTC|Z)", text.strip())
    return f"{match[1]}T{match[2]}Z" if match else text


def _natural(task: str) -> tuple[int, str]:
    digits = re.sub(r"\D", "", task)
    return int(digits) if digits else 0, task
