"""What people say of candidates: grades read from several files, merged, and their agreement.

Reading and merging need neither TensorFlow nor a model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.grades.grade import Grade
    from lensnet.grades.merging import merge_grades
    from lensnet.grades.reading import GradeFormat, read_grades

__all__ = ["Grade", "GradeFormat", "merge_grades", "read_grades"]

_MODULES = {
    "Grade": "grade",
    "GradeFormat": "reading",
    "merge_grades": "merging",
    "read_grades": "reading",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
