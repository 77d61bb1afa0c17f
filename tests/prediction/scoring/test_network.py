"""The spread over an ensemble's members and over turns, against what NumPy makes of each alone."""

import keras
import numpy as np
import pytest

from lensnet.data import Preprocessing
from lensnet.ensembling.choosing import combine_models
from lensnet.ensembling.combination import (
    GaussianMixture,
    MeanOfLogits,
    MeanOfProbabilities,
    MeanOfTargets,
)
from lensnet.prediction.columns import ClassColumns, TargetAndSigmaColumns, TargetColumns
from lensnet.prediction.scoring.network import Network

WEIGHTS = np.array([0.5, 0.3, 0.2])
IMAGES = np.random.default_rng(0).random((6, 4, 4, 1), np.float32)


class Run:
    """As much of a predictor as a network needs."""

    native_shape = (4, 4, 1)

    def __init__(self, model, columns):
        self.model, self.columns = model, columns
        self.preprocessing = Preprocessing((4, 4, 1))


def member(number, outputs, activation):
    keras.utils.set_random_seed(number)
    image = keras.Input((4, 4, 1))
    answer = keras.layers.Dense(outputs)(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Activation(activation)(answer), name=f"member_{number}")


CASES = {
    "two classes": (MeanOfProbabilities(), 1, "sigmoid", ClassColumns(["no", "yes"])),
    "logits of three": (MeanOfLogits(), 3, "softmax", ClassColumns("abc")),
    "targets": (MeanOfTargets(), 1, "linear", TargetColumns(())),
    "targets with sigma": (GaussianMixture(), 2, "softplus", TargetAndSigmaColumns(())),
}


@pytest.mark.parametrize("case", CASES)
def test_the_spread_of_members(case):
    combination, outputs, activation, columns = CASES[case]
    models = [member(number, outputs, activation) for number in (1, 2, 3)]
    parts = [keras.Model(m.input, combination.part(m), name=m.name) for m in models]
    together = combine_models(parts, WEIGHTS.tolist(), combination, name="ensemble")
    run = Run(together, columns)
    scores, spread = Network(run, "members")(IMAGES)
    expected, none = Network(run)(IMAGES)
    assert none is None
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    prepared = run.preprocessing(IMAGES)
    alone = np.stack([columns.scores(model.predict_on_batch(prepared)) for model in models])
    chosen = scores.argmax(axis=1) if columns.names[0] == "predicted" else np.zeros(6, int)
    values = alone[:, np.arange(6), chosen]
    mean = WEIGHTS @ values
    np.testing.assert_allclose(spread, np.sqrt(WEIGHTS @ (values - mean) ** 2), atol=1e-5)
    assert spread.min() > 1e-4


def test_an_ensemble_that_one_member_is_left_of_has_no_spread():
    model = combine_models([member(1, 1, "sigmoid")], [1.0], MeanOfProbabilities(), name="one")
    network = Network(Run(model, ClassColumns(["no", "yes"])), "members")
    assert not network.has_uncertainty and network(IMAGES)[1] is None
