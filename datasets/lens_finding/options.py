"""What the configuration knows of the lens-finding data sets."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec, FileOptions, SourceLayout
from lensnet.config.folder_layout import ClassFolder, FolderLayout

__all__ = [
    "CLASSES",
    "SPECS",
    "ChallengeOptions",
    "GroundOptions",
    "SimulatedOptions",
    "SpaceOptions",
]

CLASSES = ("nonlens", "lens")


class SimulatedOptions(DatasetOptions):
    """Options of `lens_finding/simulated`."""

    image_size: int = Field(101, ge=32, le=512, description="Pixels a side; 0.2 arcsec each.")
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")


class ChallengeOptions(FileOptions):
    """Options of the Bologna challenge."""

    # How its files are named, for `data.files.file_reader.FileReader`: not for the user to set.
    bands: ClassVar[tuple[str, ...]]
    file_pattern: ClassVar[str] = "image{band}-{id}"
    bands_apart: ClassVar[bool] = True

    classifications: str = Field(
        "classifications.csv", description="The table of classes, below source_dir."
    )


class SpaceOptions(ChallengeOptions):
    """Options of `lens_finding/space`."""

    bands: ClassVar[tuple[str, ...]] = ("EUC_VIS",)


class GroundOptions(ChallengeOptions):
    """Options of `lens_finding/ground`."""

    bands: ClassVar[tuple[str, ...]] = ("SDSS_R", "SDSS_I", "SDSS_G", "SDSS_U")
    mask_value: ClassVar[float] = 100.0

    max_nonfinite: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Share of an image's pixels that may be masked (100) or not finite. Within it "
        "they are filled with the median of the band's other pixels; above it the image is bad.",
    )


def _inspect_challenge(source_dir: Path, options: ChallengeOptions) -> SourceLayout:
    from lensnet.datasets.lens_finding.bologna import inspect

    return inspect(source_dir, options)


_CHALLENGE = "lensnet.datasets.lens_finding.bologna:ChallengeSource"

SPECS = (
    DatasetSpec(
        name="lens_finding/simulated",
        summary="Galaxy-scale lenses and look-alikes, simulated as in a ground-based survey.",
        simulator="lensnet.simulation:LensFindingSimulator",
        options=SimulatedOptions,
        offers=("classes",),
        classes=CLASSES,
    ),
    DatasetSpec(
        name="lens_finding/ground",
        summary="The Bologna challenge from the ground: bands R, I, G, U, with masked regions.",
        source=_CHALLENGE,
        options=GroundOptions,
        offers=("classes",),
        classes=CLASSES,
        inspect=_inspect_challenge,
    ),
    DatasetSpec(
        name="lens_finding/space",
        summary="The Bologna challenge from space: Euclid's VIS band.",
        source=_CHALLENGE,
        options=SpaceOptions,
        offers=("classes",),
        classes=CLASSES,
        inspect=_inspect_challenge,
    ),
    DatasetSpec(
        name="lens_finding/deeplense",
        summary="DeepLense's three-band images: {train,test}_{lenses,nonlenses}/N.npy.",
        folders=FolderLayout(
            tuple(
                ClassFolder(f"{split}_{folder}", label, split)
                for split in ("train", "test")
                for folder, label in (("nonlenses", "nonlens"), ("lenses", "lens"))
            )
        ),
        options=FileOptions,
        offers=("classes",),
        classes=CLASSES,
    ),
)
