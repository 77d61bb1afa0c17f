"""What the configuration knows of the lens-finding data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from lensnet.config.dataset import DatasetOptions, DatasetSpec, FileOptions, SourceLayout
from lensnet.config.folder_layout import ClassFolder, FolderLayout
from lensnet.errors import DataError

if TYPE_CHECKING:
    from lensnet.data.files.catalogues import Catalogue

__all__ = [
    "CLASSES",
    "CLASS_COLUMN",
    "ID_COLUMN",
    "LENS_COLUMNS",
    "SPECS",
    "ChallengeOptions",
    "EuclidOptions",
    "GroundOptions",
    "SimulatedOptions",
    "SpaceOptions",
    "inspect_challenge",
    "open_classifications",
]

CLASSES = ("nonlens", "lens")

ID_COLUMN, CLASS_COLUMN = "ID", "is_lens"
"""Columns of the first challenge's table."""

LENS_COLUMNS = ("n_source_im", "mag_eff", "n_pix_source")
"""Columns of the second challenge's table, by which an object is a lens or not."""


class SimulatedOptions(DatasetOptions):
    """Options of `lens_finding/simulated`."""

    image_size: int = Field(
        101, ge=32, le=512, description="Pixels a side, each as large as the survey's."
    )
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")
    nonlenses: int | None = Field(
        None,
        ge=4,
        description="Images without a lens, in all, where they are to be another number. Training "
        "by data.fresh has as many of both all the same.",
    )
    survey: Literal["kids_r", "ps1_r"] = Field(
        "kids_r",
        description="Whose pixels, point spread function and noise: KiDS in r (0.2 arcsec a pixel, "
        "0.7 arcsec wide), or Pan-STARRS1's 3 pi stacks in r (0.25, 1.2, two magnitudes less "
        "deep).",
    )

    def simulator_arguments(self) -> dict[str, Any]:
        from lensnet.simulation.observation import OBSERVATIONS

        return {"image_size": self.image_size, "observation": OBSERVATIONS[self.survey]}

    def simulated_examples(self) -> int | dict[str, int]:
        if self.nonlenses is None:
            return self.examples_per_class
        return {"nonlens": self.nonlenses, "lens": self.examples_per_class}


class ChallengeOptions(FileOptions):
    """Options of the Bologna challenge."""

    # How its files are named, for `data.files.file_reader.FileReader`: not for the user to set.
    bands: ClassVar[tuple[str, ...]]
    file_pattern: ClassVar[str] = "image{band}-{id}"
    bands_apart: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = (ID_COLUMN, CLASS_COLUMN)

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


class EuclidOptions(FileOptions):
    """Options of `lens_finding/euclid`."""

    file_pattern: ClassVar[str] = "imageEUC_{band}-{id}"
    bands_apart: ClassVar[bool] = True
    finest_grid: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = (ID_COLUMN, *LENS_COLUMNS)

    classifications: str = Field(
        "image_catalog2.0train.csv", description="The catalogue of the truth, below source_dir."
    )
    bands: list[Literal["VIS", "Y", "J", "H"]] = Field(
        ["VIS", "Y", "J", "H"],
        min_length=1,
        description="The bands, in the order of the channels. Pixels of Y, J and H, which are "
        "three times as large, are repeated beside VIS.",
    )
    magnification_above: float = Field(
        1.6, description="A lens has a mag_eff, the magnification of its source, above this."
    )
    source_pixels_above: float = Field(
        20,
        ge=0,
        description="A lens has an n_pix_source, the number of pixels of its lensed source, above "
        "this.",
    )

    @field_validator("bands")
    @classmethod
    def _each_once(cls, bands: list[str]) -> list[str]:
        if len(set(bands)) < len(bands):
            raise ValueError(f"each band may stand once; got {bands}")
        return bands


def inspect_challenge(source_dir: Path, options: ChallengeOptions | EuclidOptions) -> SourceLayout:
    """Checks that the directory holds the table of classes.

    Raises:
        DataError: it does not.
    """
    if not source_dir.is_dir():
        raise DataError(
            f"The data directory {source_dir} does not exist. data.source_dir is the directory "
            f"that holds the challenge's images and {options.classifications}."
        )
    if not (source_dir / options.classifications).is_file():
        raise DataError(
            f"{source_dir} holds no {options.classifications}. It says which images are lenses; "
            "data.options.classifications is its path from there."
        )
    open_classifications(source_dir / options.classifications, options.columns)
    return SourceLayout(CLASSES)


def open_classifications(path: Path, columns: tuple[str, ...]) -> Catalogue:
    """Opens the table of classes.

    Args:
        path: the file.
        columns: what it must have.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    from lensnet.data.files.catalogues import open_catalogue

    table = open_catalogue(path, columns)
    for column in columns:
        table.need(column, "The challenge's table")
    return table


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
        inspect=inspect_challenge,
    ),
    DatasetSpec(
        name="lens_finding/space",
        summary="The Bologna challenge from space: Euclid's VIS band.",
        source=_CHALLENGE,
        options=SpaceOptions,
        offers=("classes",),
        classes=CLASSES,
        inspect=inspect_challenge,
    ),
    DatasetSpec(
        name="lens_finding/euclid",
        summary="The second Bologna challenge: Euclid's VIS, Y, J and H.",
        source=_CHALLENGE,
        options=EuclidOptions,
        offers=("classes",),
        classes=CLASSES,
        inspect=inspect_challenge,
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
