"""Every optimizer by its name: what decays, what is clipped, what is saved."""

import typing

import keras
import numpy as np
import pytest

from lensnet import optimizers
from lensnet.config.optimizers import SGD, Adam, AdamW, Muon, Optimizer, ScheduleFreeAdamW

SECTIONS = typing.get_args(typing.get_args(Optimizer)[0])
BY_NAME = pytest.mark.parametrize("section", SECTIONS, ids=lambda kind: kind().name)


def made_for(variables, section, **options):
    optimizer = optimizers.create(section, 0.1, **options)
    optimizer.build(variables)
    return optimizer


def variables():
    rng = np.random.default_rng(0)
    shapes = {"kernel": (4, 3), "filter": (3, 3, 2, 4), "bias": (3,)}
    return [
        keras.Variable(rng.normal(size=shape), dtype="float32", name=name)
        for name, shape in shapes.items()
    ]


def gradients(seed=1, scale=1.0):
    rng = np.random.default_rng(seed)
    return [
        keras.ops.convert_to_tensor(scale * rng.normal(size=v.shape), "float32")
        for v in variables()
    ]


def values(those):
    return [keras.ops.convert_to_numpy(variable) for variable in those]


def test_every_optimizer_of_keras_has_a_name():
    """But for those that wrap others."""
    wrappers = {"LossScaleOptimizer", "MultiOptimizer", "Optimizer"}
    of_keras = {
        name
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    created = {type(optimizers.create(kind(), 0.1)).__name__ for kind in SECTIONS}
    assert created == (of_keras - wrappers) | {"Ranger"}


@BY_NAME
def test_defaults_are_keras_own(section):
    """Of all that an experiment file can set; the learning rate is the schedule's."""
    kind = type(optimizers.create(section(), 0.1))
    default, found = kind().get_config(), optimizers.create(section(), 0.1).get_config()
    ours = {"name", "learning_rate", "weight_decay", "adam_weight_decay"}
    assert {key for key in default if default[key] != found[key]} <= ours


@BY_NAME
def test_it_learns_and_its_configuration_round_trips(section):
    those = variables()
    before = values(those)
    optimizer = made_for(those, section())
    for seed in range(3):
        optimizer.apply(gradients(seed), those)
    for one, other in zip(before, values(those), strict=True):
        assert np.isfinite(other).all() and np.abs(one - other).max() > 1e-5
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    "section",
    # The weights of the schedule-free one are a mean: see its own test.
    [
        kind
        for kind in SECTIONS
        if hasattr(kind(), "weight_decay") and kind is not ScheduleFreeAdamW
    ],
    ids=lambda kind: kind().name,
)
@pytest.mark.parametrize("factor", [None, 0.5], ids=["whole", "factor"])
def test_weight_decay_leaves_alone_what_it_is_told_to(section, factor):
    """Without a gradient a decayed weight is multiplied by 1 - rate decay, another not changed."""
    those = variables()
    kernel, taps, bias = values(those)
    factors = None if factor is None else {variable.path: factor for variable in those}
    decaying = section(weight_decay=0.2)
    optimizer = made_for(those, decaying, factors=factors, undecayed=[those[2]])
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in those], those)
    kept = 1 - 0.1 * 0.2 * (factor or 1)
    for now, expected in zip(values(those), (kept * kernel, kept * taps, bias), strict=True):
        np.testing.assert_allclose(now, expected, rtol=1e-6)


@BY_NAME
def test_a_factor_is_a_share_of_the_learning_rate(section):
    """All variables at half of a rate, by factors, go where they go by half the rate."""
    halved, by_factor = variables(), variables()
    one = optimizers.create(section(), 0.005)
    other = optimizers.create(section(), 0.01, {v.path: 0.5 for v in by_factor})
    for optimizer, those in ((one, halved), (other, by_factor)):
        optimizer.build(those)
        for seed in range(2):
            optimizer.apply(gradients(seed), those)
    for mine, theirs in zip(values(by_factor), values(halved), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_bounds_on_the_gradient():
    """A plain step of rate 0.1 along the gradient as it was cut."""
    large = values(gradients(scale=10.0))
    norm = np.sqrt(sum((gradient**2).sum() for gradient in large))
    for section, cut in (
        (SGD(clip_norm=1.0), [gradient / norm for gradient in large]),
        (SGD(clip_value=2.0), [np.clip(gradient, -2, 2) for gradient in large]),
    ):
        those = variables()
        before = values(those)
        made_for(those, section).apply(gradients(scale=10.0), those)
        for one, now, gradient in zip(before, values(those), cut, strict=True):
            np.testing.assert_allclose(now, one - 0.1 * gradient, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="not both"):
        SGD(clip_norm=1.0, clip_value=1.0)


@pytest.mark.parametrize("section", [Adam(), AdamW(weight_decay=0.1), SGD(), Muon()])
def test_accumulated_gradients_make_the_step_of_their_mean(section):
    once, often = variables(), variables()
    single = made_for(once, section)
    accumulating = made_for(often, section, gradient_accumulation_steps=3)
    for step in range(2):
        parts = [gradients(3 * step + part) for part in range(3)]
        for part in parts:
            accumulating.apply(part, often)
        mean = [sum(each) / 3 for each in zip(*parts, strict=True)]
        single.apply(mean, once)
    for one, other in zip(values(once), values(often), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
