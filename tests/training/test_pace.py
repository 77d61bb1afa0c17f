"""When a checkpoint is due, and when a training ends before its last epoch."""

import pytest

from lensnet.config.control import Checkpoints
from lensnet.interruption import Interruption
from lensnet.training.pace import Pace


def pace(budget=None, agree=None, **checkpoints):
    return Pace(Checkpoints(**{"minutes": None, **checkpoints}), budget, Interruption(), agree)


def test_checkpoints_come_by_steps():
    by_threes = pace(steps=3)
    assert [by_threes.after_step(step).write for step in range(1, 7)] == 2 * [False, False, True]
    assert not any(pace().after_step(step).write for step in range(1, 7))


def test_checkpoints_come_by_minutes_since_the_last_one():
    often = pace(minutes=1e-9)
    assert often.after_step(1).write
    seldom = pace(minutes=60.0)
    assert not seldom.after_step(1).write


@pytest.mark.parametrize(("before", "is_over"), [(99.0, False), (3600.0, True)])
def test_a_budget_counts_what_was_before(before, is_over):
    hour = pace(budget=3600)
    hour.seconds_before = before
    hour.begin()
    assert hour.after_step(1).end is is_over


def test_what_one_worker_finds_all_do():
    """The last word has what the workers have in common."""
    alone = pace(agree=lambda found: [False, True, False])
    assert alone.after_step(1) == (False, True, False)
    assert not alone.is_asked, "it may not stop where the others do not"
