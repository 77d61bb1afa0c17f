"""What `data.options` may hold for the halo-mass data sets."""

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec

__all__ = ["SPECS", "SimulatedOptions"]

_BUILDER = "lensnet.datasets.halo_mass.halo_mass_dataset_builder:Builder"


class SimulatedOptions(DatasetOptions):
    """Options of `halo_mass/simulated`."""

    image_size: int = Field(
        150, ge=16, le=512, description="Pixels a side, over the same 7.5 arcsec of sky."
    )
    examples: int = Field(3000, ge=4, description="Images in all.")


SPECS = (
    DatasetSpec(
        name="halo_mass/simulated",
        summary="Lenses whose main halo has 10^11.5 to 10^12.5 solar masses; target log10 mass.",
        builder=_BUILDER,
        options=SimulatedOptions,
        tasks=("regression",),
    ),
)
