"""What is said of long work where no bar can be shown."""

from lensnet import progress
from lensnet.progress import Beat, track


def test_a_line_now_and_then_and_one_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.0)
    assert list(track(iter("abc"), "Reading", total=3)) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [f"Reading: {number} of 3 ..." for number in (1, 2, 3)]
    assert lines[3].startswith("Reading: 3 in ")


def test_short_work_gets_the_last_line_alone(capsys):
    assert sum(track([1, 2, 3], "Adding")) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Adding: 3 in ")


def test_a_beat_comes_again():
    beat = Beat(0)
    assert beat.is_due() and beat.is_due()
