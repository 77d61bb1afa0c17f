"""Learning rates against closed forms: a linear warm-up, then half a cosine.

Loshchilov & Hutter 2017 (arXiv:1608.03983, equation 5, one cycle): rate(t) = low + (high - low)
(1 + cos(pi t / T)) / 2. The figures below are worked by hand from it.
"""

import math

import pytest

from lensnet import schedules
from lensnet.config.sections import ConstantSchedule, CosineSchedule


def rates(section, steps, *, epochs=10, steps_per_epoch=4, learning_rate=0.2):
    schedule = schedules.create(
        section, learning_rate, epochs=epochs, steps_per_epoch=steps_per_epoch
    )
    return [float(schedule(step)) for step in steps]


def test_half_a_cosine():
    """T = 40: at a quarter, a half and three quarters cos is 1/sqrt(2), 0 and -1/sqrt(2)."""
    root = math.sqrt(0.5)
    expected = [0.2, 0.1 * (1 + root), 0.1, 0.1 * (1 - root), 0.0]
    assert rates(CosineSchedule(), [0, 10, 20, 30, 40]) == pytest.approx(expected, abs=1e-8)


def test_it_ends_at_the_final_fraction_and_stays_there():
    section = CosineSchedule(final_fraction=0.1)
    assert rates(section, [0, 20, 40, 400]) == pytest.approx([0.2, 0.11, 0.02, 0.02], abs=1e-8)


def test_a_warm_up_of_whole_epochs():
    """Eight steps, from an eighth of the rate; the cosine then has the other 32 steps."""
    section = CosineSchedule(warmup_epochs=2)
    # Up by 0.2 - 0.025 in eight steps; at step 24 half of the cosine is over.
    expected = [0.025, 0.025 + 0.175 / 2, 0.2, 0.1, 0.0]
    assert rates(section, [0, 4, 8, 24, 40]) == pytest.approx(expected, abs=1e-8)


def test_a_warm_up_of_part_of_an_epoch_is_rounded_to_steps():
    section = CosineSchedule(warmup_epochs=0.6)  # 2.4 of 4 steps, so 2
    assert rates(section, [0, 1, 2]) == pytest.approx([0.1, 0.15, 0.2], abs=1e-8)


@pytest.mark.parametrize("warmup_epochs", [0, 2])
def test_a_constant_schedule_stays(warmup_epochs):
    section = ConstantSchedule(warmup_epochs=warmup_epochs)
    assert rates(section, [8, 23, 40]) == pytest.approx([0.2] * 3, abs=1e-8)
    first = 0.2 if warmup_epochs == 0 else 0.2 / 8
    assert rates(section, [0]) == pytest.approx([first], abs=1e-8)


def test_a_training_that_is_all_warm_up():
    """No step is left for the cosine: the rate is reached, and nothing is divided by zero."""
    section = CosineSchedule(warmup_epochs=1)
    assert rates(section, [0, 2, 4], epochs=1) == pytest.approx([0.05, 0.125, 0.2], abs=1e-8)
