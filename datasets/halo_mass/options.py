"""What the configuration knows of the halo-mass data sets."""

from __future__ import annotations

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec, FileOptions
from lensnet.config.folder_layout import ClassFolder, FolderLayout, TargetNumber

__all__ = ["MASS_FRACTION", "SPECS", "SimulatedOptions"]

MASS_FRACTION = "substructure_mass_fraction"
"""The number beside the image in a published file."""


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
        simulator="lensnet.simulation:HaloMassSimulator",
        options=SimulatedOptions,
        offers=("targets",),
    ),
    DatasetSpec(
        name="halo_mass/deeplense",
        summary="DeepLense's lens_data/image_<id>.npy; target the share of mass in substructure.",
        folders=FolderLayout(
            (ClassFolder("lens_data"),),
            numbers=(MASS_FRACTION,),
            target=TargetNumber(MASS_FRACTION),
        ),
        options=FileOptions,
        offers=("targets",),
    ),
)
