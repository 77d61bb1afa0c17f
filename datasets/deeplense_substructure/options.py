"""What `data.options` may hold for the DeepLense substructure data sets."""

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec

__all__ = ["SPECS", "SimulatedOptions"]

_BUILDER = "lensnet.datasets.deeplense_substructure.deeplense_substructure_dataset_builder:Builder"


class SimulatedOptions(DatasetOptions):
    """Options of `deeplense_substructure/simulated`."""

    image_size: int = Field(
        150, ge=16, le=512, description="Pixels a side, over the same 7.5 arcsec of sky."
    )
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")


SPECS = (
    DatasetSpec(
        name="deeplense_substructure/simulated",
        summary="Lenses without substructure, with cold subhalos, or with an axion vortex.",
        builder=_BUILDER,
        options=SimulatedOptions,
        tasks=("classification",),
        classes=("no_sub", "cdm", "axion"),
    ),
)
