"""Importing the package costs nothing, and the names it lists exist."""

import subprocess
import sys

import pytest

import lensnet.evaluation

HEAVY = ("tensorflow", "keras", "matplotlib", "sklearn", "scipy")


def imported_by(code):
    """Return which of the heavy packages a fresh interpreter has imported after the code."""
    report = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_import_is_light():
    assert imported_by("import lensnet.evaluation") == "[]"
    assert imported_by("from lensnet.evaluation import rotation_std") == "[]"


def test_figures_leave_pyplot_alone():
    code = "import lensnet.evaluation.figures, sys; assert 'matplotlib.pyplot' not in sys.modules"
    assert "tensorflow" not in imported_by(code)


def test_listed_names_exist():
    for name in lensnet.evaluation.__all__:
        assert getattr(lensnet.evaluation, name) is not None
        assert name in dir(lensnet.evaluation)
    with pytest.raises(AttributeError, match="rotation_sdt"):
        lensnet.evaluation.rotation_sdt  # noqa: B018
