"""What `data.options` holds for the Bologna lens-finding challenge."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lensnet.config.dataset import FileOptions

__all__ = ["CLASSES", "ChallengeOptions", "GroundOptions", "SpaceOptions"]

CLASSES = ("nonlens", "lens")


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
