"""Learning rates against closed forms: a linear warm-up, then what the schedule's paper says.

Loshchilov & Hutter 2017 (arXiv:1608.03983, equation 5): rate(t) = low + (high - low)
(1 + cos(pi t / T)) / 2. Figures without a formula are worked by hand.
"""

import math

import keras
import numpy as np
import pytest

from lensnet import schedules
from lensnet.config.schedules import (
    ConstantSchedule,
    CosineRestartsSchedule,
    CosineSchedule,
    CyclicSchedule,
    ExponentialSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    StepSchedule,
)


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


STEPS = np.arange(40)


def exponential(step):
    return 0.2 * 0.5 ** (step / 8)


def every_two_epochs(step):
    return 0.2 * 0.5 ** (step // 8)


def at_given_epochs(step):
    return 0.2 * 0.5 ** sum(step >= at for at in (4, 12, 20))


def restarts(step):
    """Cycles of 4, 8, 16 and 32 steps, each of which begins at 0.8 of the last one's height."""
    number, begin, length = 0, 0, 4
    while step >= begin + length:
        number, begin, length = number + 1, begin + length, 2 * length
    low, high = 0.2 * 0.1, 0.2 * 0.8**number
    return low + (high - low) * (1 + math.cos(math.pi * (step - begin) / length)) / 2


def equal_restarts(step):
    return 0.1 * (1 + math.cos(math.pi * (step % 8) / 8))


def one_cycle(step):
    """Up over 10 of 40 steps, from a twentieth, down to a thousandth (Smith & Topin 2018)."""
    first, last, share = (0.05, 1, step / 10) if step < 10 else (1, 1e-3, (step - 10) / 30)
    return 0.2 * (first + (last - first) * (1 - math.cos(math.pi * share)) / 2)


def one_linear_cycle(step):
    return 0.2 * np.interp(step, [0, 10, 40], [0.05, 1, 1e-3])


def triangular(step):
    """Smith 2017 (arXiv:1506.01186, section 3.2), with a step size of 6, as the paper's code."""
    x = abs(step / 6 - 2 * math.floor(1 + step / 12) + 1)
    return 0.02 + (0.2 - 0.02) * max(0, 1 - x)


def triangular2(step):
    x = abs(step / 6 - 2 * math.floor(1 + step / 12) + 1)
    return 0.02 + (0.2 - 0.02) * max(0, 1 - x) / 2 ** math.floor(step / 12)


CLOSED_FORMS = [
    (ExponentialSchedule(decay_rate=0.5, decay_epochs=2), exponential),
    (StepSchedule(decay_rate=0.5, decay_epochs=2), every_two_epochs),
    (StepSchedule(decay_rate=0.5, decay_epochs=[1, 3, 5]), at_given_epochs),
    (CosineSchedule(decay_epochs=5), lambda step: 0.1 * (1 + math.cos(math.pi * step / 20))),
    (CosineRestartsSchedule(cycle_epochs=1, peak_factor=0.8, final_fraction=0.1), restarts),
    (CosineRestartsSchedule(cycle_epochs=2, cycle_factor=1), equal_restarts),
    (OneCycleSchedule(rise_fraction=0.25, initial_fraction=0.05, final_fraction=1e-3), one_cycle),
    (
        OneCycleSchedule(
            rise_fraction=0.25, initial_fraction=0.05, final_fraction=1e-3, shape="linear"
        ),
        one_linear_cycle,
    ),
    (CyclicSchedule(cycle_epochs=3), triangular),
    (CyclicSchedule(cycle_epochs=3, mode="triangular2"), triangular2),
    (PlateauSchedule(), lambda step: 0.2),
]
NAMES = [f"{section.name} {form.__name__}" for section, form in CLOSED_FORMS]


@pytest.mark.parametrize(("section", "form"), CLOSED_FORMS, ids=NAMES)
def test_a_schedule_is_its_closed_form(section, form):
    steps = STEPS[:20] if getattr(section, "decay_epochs", None) == 5 else STEPS
    expected = [form(int(step)) for step in steps]
    # Single precision: the phase of the last steps is rounded at 1e-6.
    assert rates(section, steps) == pytest.approx(expected, rel=2e-5, abs=2e-7)


@pytest.mark.parametrize(("section", "form"), CLOSED_FORMS, ids=NAMES)
def test_each_warms_up_to_where_it_begins(section, form):
    """Eight steps in a straight line from an eighth; the schedule then begins at its beginning."""
    warm = section.model_copy(update={"warmup_epochs": 2})
    begin = rates(section, [0])[0]
    expected = [begin / 8 * (1 + 7 * step / 8) for step in range(9)]
    assert rates(warm, range(9)) == pytest.approx(expected, rel=1e-5)
    if section.name != "one_cycle":  # it is as long as the training
        later = rates(section, range(12))
        assert rates(warm, range(8, 20)) == pytest.approx(later, rel=1e-5, abs=1e-8)


def test_where_a_cycle_begins_is_never_missed():
    """Where Keras's CosineDecayRestarts is rounded to the end of the cycle before."""
    schedule = schedules.CosineRestarts(1.0, cycle_steps=10, cycle_factor=3.0)
    begins = [10 * (3**number - 1) // 2 for number in range(10)]
    assert [float(schedule(step)) for step in begins] == pytest.approx([1.0] * 10, abs=1e-4)


@pytest.mark.parametrize(("section", "form"), CLOSED_FORMS, ids=NAMES)
def test_a_saved_optimizer_brings_its_schedule_back(section, form):
    warm = section.model_copy(update={"warmup_epochs": 1})
    made = schedules.create(warm, 0.2, epochs=10, steps_per_epoch=4)
    if section.name == "reduce_on_plateau":
        made.schedule.factor.assign(0.5)
    saved = keras.saving.serialize_keras_object(keras.optimizers.SGD(made))
    again = keras.saving.deserialize_keras_object(saved)
    assert again.get_config() == keras.optimizers.SGD(made, name=again.name).get_config()
    steps = (0, 3, 4, 17, 39)
    assert [float(again._learning_rate(at)) for at in steps] == [float(made(at)) for at in steps]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (CosineSchedule(), None),
        (CosineSchedule(decay_epochs=99), 99),
        (CosineSchedule(decay_epochs=99, warmup_epochs=1), None),
        (CosineSchedule(decay_epochs=50, final_fraction=0.01), None),
        (ExponentialSchedule(decay_rate=0.9), None),
        # 1e-3 is 84.4 times a tenth above the smallest number of single precision, 1.2e-38.
        (ExponentialSchedule(decay_rate=0.1), pytest.approx(34.93, abs=0.01)),
        (StepSchedule(decay_rate=0.1, decay_epochs=2), 70),
        (StepSchedule(decay_rate=1e-20, decay_epochs=[10, 20, 30]), 20),
        (StepSchedule(decay_rate=0.1, decay_epochs=[10, 20]), None),
        (CyclicSchedule(cycle_epochs=2, mode="triangular2"), None),
    ],
)
def test_when_nothing_is_left_to_learn_with(section, expected):
    assert section.zero_after(1e-3, epochs=100) == expected
