"""A data set of noise, as somebody who has a simulator adds one: `pattern_dataset/classes`."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow_datasets as tfds

from lensnet import registry
from lensnet.config.dataset import DatasetOptions, DatasetSpec
from lensnet.data.records.builder import LensDatasetBuilder

__all__ = ["SPECS", "PatternDataset", "register"]


class Options(DatasetOptions):
    image_size: int = 8
    examples_per_class: int = 20


@dataclass(frozen=True)
class Spec(DatasetSpec):
    """One that does not lie in `lensnet.datasets`."""

    @property
    def builder(self) -> str:
        return "pattern_dataset:PatternDataset"


SPECS = (
    Spec(
        name="pattern_dataset/classes",
        summary="Noise of three classes.",
        simulator="simulated_patterns:Patterns",
        options=Options,
        offers=("classes",),
        classes=("a", "b", "c"),
    ),
    Spec(
        name="pattern_dataset/targets",
        summary="Noise, whose mean is the target.",
        simulator="simulated_patterns:Means",
        options=Options,
        offers=("targets",),
    ),
)


class PatternDataset(LensDatasetBuilder):
    """Noise."""

    VERSION = tfds.core.Version("1.0.0")
    SPECS = SPECS


def register() -> None:
    """Lets experiments of this process name the data set."""
    for spec in SPECS:
        registry.datasets.register(spec.name, spec)
