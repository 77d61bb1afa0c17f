"""Lenses whose haloes hold nothing, cold subhaloes, or an axion vortex."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.builder import LensConfig, LensDatasetBuilder
from lensnet.data.sources import SimulatedSource
from lensnet.datasets.deeplense_substructure.options import SimulatedOptions

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """Images made by `lensnet.simulation.SubstructureSimulator`; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        LensConfig(
            name="simulated",
            variant="simulated",
            description="Made by lensnet.simulation with the default options and seed 0.",
            options=SimulatedOptions(),
        )
    ]

    @classmethod
    def make_source(cls, config: LensConfig) -> SimulatedSource:
        """Returns the simulator as a source of examples."""
        from lensnet.simulation import SubstructureSimulator

        options = config.options
        if not isinstance(options, SimulatedOptions):
            raise TypeError(f"options must be SimulatedOptions; got {type(options).__name__}.")
        return SimulatedSource(
            SubstructureSimulator(image_size=options.image_size),
            options.examples_per_class,
            config.seed,
        )
