"""Figures are written as whole PNG files, the same bytes each time."""

import os

import pytest

from lensnet.evaluation.figures import save, training_curves

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("laid_out")]


def small_figure():
    return training_curves({"loss": [1.0, 0.5]})


def test_save_makes_folders_and_the_same_bytes(tmp_path):
    first = save(small_figure(), tmp_path / "figures" / "a.png", dpi=60)
    second = save(small_figure(), str(tmp_path / "figures" / "b.png"), dpi=60)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in first.parent.iterdir()) == ["a.png", "b.png"]


def test_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save(small_figure(), target, dpi=60)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_save_writes_png_alone(tmp_path):
    with pytest.raises(ValueError, match="PNG"):
        save(small_figure(), tmp_path / "a.pdf")


def test_users_settings_are_neither_used_nor_changed(tmp_path):
    import matplotlib

    plain = save(small_figure(), tmp_path / "a.png", dpi=60).read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        assert save(small_figure(), tmp_path / "b.png", dpi=60).read_bytes() == plain
        assert dict(matplotlib.rcParams) == before
