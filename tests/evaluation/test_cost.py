"""What a run's network costs, counted from its experiment."""

import keras
import pytest
import tiny_backbone

from lensnet.config import Experiment
from lensnet.evaluation.cost import count_network


def counted(backbone, **evaluation):
    experiment = Experiment.model_validate(
        {
            "name": "some",
            "task": "binary",
            "data": {"dataset": "lens_finding/simulated"},
            "model": {"backbone": backbone},
            "evaluation": evaluation,
        }
    )
    return count_network(experiment, (32, 32, 1), 2)


def test_every_pass_of_an_averaged_network_counts():
    one, eight = counted("resnet18"), counted("resnet18", average_over="d4")
    assert eight.parameters == one.parameters
    assert eight.multiply_adds == 8 * one.multiply_adds


def test_what_keras_hub_builds_is_not_built_to_be_counted():
    assert counted("hub:there_is_no_such_preset") is None


@pytest.mark.parametrize(
    "build",
    [
        lambda kit, image, **options: image + image,
        lambda kit, image, **options: image.dtype,
        lambda kit, image, **options: keras.layers.ReLU()(image),
    ],
)
def test_a_builder_of_ones_own_that_leaves_the_kit_is_not_counted(monkeypatch, build):
    assert counted("tiny").parameters > 0
    monkeypatch.setattr(tiny_backbone, "build", build)
    assert counted("tiny") is None
