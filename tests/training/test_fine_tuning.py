import keras
import numpy as np
import pytest
from lens_images import experiment_on
from unmeasured_training import train_unmeasured

import lensnet
from lensnet import config, optimizers
from lensnet.config.sections import AdamW
from lensnet.errors import ConfigurationError
from lensnet.models.stages import layers_by_stage
from lensnet.training.fine_tuning import freeze, learning_rate_factors


def create(name="tiny", **options):
    return lensnet.models.create(name, input_shape=(16, 16, 1), num_outputs=2, **options)


def names(layers):
    return [layer.name for layer in layers]


def test_stages_hold_the_layers_between_their_marks():
    stages = layers_by_stage(create(symmetry="c4"))
    assert {stage: names(layers) for stage, layers in stages.items()} == {
        "one": ["conv1", "bn1"],
        "two": ["conv2", "bn2"],
        "head": ["head.logits"],
    }


@pytest.mark.parametrize(
    ("trainable", "expected"),
    [
        ("all", ["conv1", "bn1", "conv2", "bn2", "head.logits"]),
        ("last_stage", ["conv2", "bn2", "head.logits"]),
        ("head", ["head.logits"]),
    ],
)
@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_what_is_frozen_keeps_weights_and_statistics(trainable, expected, symmetry):
    model = create(symmetry=symmetry)
    freeze(model, trainable)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    rng = np.random.default_rng(0)
    images = rng.standard_normal((8, 16, 16, 1)).astype("float32")
    model.train_on_batch(images, np.eye(2, dtype="float32")[[0, 1] * 4])
    changed = [
        name
        for name, weights in before.items()
        if any(
            not np.array_equal(one, other)
            for one, other in zip(weights, model.get_layer(name).get_weights(), strict=True)
        )
    ]
    assert changed == expected


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_factor_multiplies_the_learning_rate_and_the_decay(weight_decay):
    """A step with a factor is a step of an optimizer with that share of the rate."""

    def weights_after_a_step(learning_rate, factors):
        keras.utils.set_random_seed(0)
        model = create()
        section = AdamW(weight_decay=weight_decay)
        paths = learning_rate_factors(model, factors)
        model.compile(
            optimizers.create(section, learning_rate, paths),
            keras.losses.CategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        images = np.random.default_rng(0).standard_normal((8, 16, 16, 1)).astype("float32")
        model.train_on_batch(images, np.eye(2, dtype="float32")[[0, 1] * 4])
        return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}

    factored = weights_after_a_step(0.01, {"one": 0.1, "head": 0.5})
    for share, layers in ((0.1, ["conv1", "bn1"]), (0.5, ["head.logits"]), (1.0, ["conv2"])):
        expected = weights_after_a_step(0.01 * share, {})
        for name in layers:
            for ours, theirs in zip(factored[name], expected[name], strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_a_stage_that_does_not_exist():
    with pytest.raises(ConfigurationError, match='no stage "tow".* mean "two".* Stages: one, two'):
        learning_rate_factors(create(), {"tow": 0.1})


def test_from_the_experiment_file(image_folder, data_dir, tiny_run, tmp_path):
    """A run that starts from another's weights and trains the head alone."""
    sections = experiment_on(image_folder, data_dir)
    sections["model"]["weights"] = str(tiny_run)
    sections["training"].update(trainable="head", learning_rate_factors={"head": 0.5})
    run = train_unmeasured(sections, tmp_path / "run")
    before, after = lensnet.load(tiny_run), lensnet.load(run)
    np.testing.assert_array_equal(
        after.get_layer("conv1").get_weights()[0], before.get_layer("conv1").get_weights()[0]
    )
    assert not np.array_equal(
        after.get_layer("head.logits").get_weights()[0],
        before.get_layer("head.logits").get_weights()[0],
    )
    assert config.load(run / "experiment.yaml").training.trainable == "head"
