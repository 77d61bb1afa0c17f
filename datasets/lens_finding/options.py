"""What `data.options` may hold for the lens-finding data sets."""

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec

__all__ = ["SPECS", "SimulatedOptions"]

_BUILDER = "lensnet.datasets.lens_finding.lens_finding_dataset_builder:Builder"


class SimulatedOptions(DatasetOptions):
    """Options of `lens_finding/simulated`."""

    image_size: int = Field(101, ge=32, le=512, description="Pixels a side; 0.2 arcsec each.")
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")


SPECS = (
    DatasetSpec(
        name="lens_finding/simulated",
        summary="Galaxy-scale lenses and look-alikes, simulated as in a ground-based survey.",
        builder=_BUILDER,
        options=SimulatedOptions,
        tasks=("binary", "classification"),
        classes=("nonlens", "lens"),
    ),
)
