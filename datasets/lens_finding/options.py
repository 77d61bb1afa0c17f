"""What the configuration knows of the lens-finding data sets."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec, FileOptions, SourceLayout
from lensnet.config.folder_layout import ClassFolder, FolderLayout
from lensnet.datasets.lens_finding.challenge_options import (
    CLASSES,
    ChallengeOptions,
    GroundOptions,
    SpaceOptions,
)

__all__ = [
    "CLASSES",
    "SPECS",
    "ChallengeOptions",
    "GroundOptions",
    "SimulatedOptions",
    "SpaceOptions",
]


class SimulatedOptions(DatasetOptions):
    """Options of `lens_finding/simulated`."""

    image_size: int = Field(101, ge=32, le=512, description="Pixels a side; 0.2 arcsec each.")
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")


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
