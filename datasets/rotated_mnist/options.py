"""What the configuration knows of rotated MNIST."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lensnet.config.dataset import DatasetOptions, DatasetSpec, SourceLayout
from lensnet.errors import DataError

__all__ = ["CLASSES", "FILE", "SPECS", "Options", "archive_of", "inspect"]

CLASSES = tuple("0123456789")

FILE = "mnist.npz"


class Options(DatasetOptions):
    """Options of `rotated_mnist`."""

    train: int = Field(10_000, ge=1, description="Images to train on.")
    validation: int = Field(2_000, ge=1, description="Images to validate on.")
    test: int = Field(50_000, ge=1, description="Images to test on.")
    draw_seed: int = Field(
        0,
        ge=0,
        description="Decides which images are in which split, and each one's angle. It is not part "
        "of data.seed, so that runs of other seeds are measured on the same images.",
    )


def archive_of(source_dir: Path) -> Path:
    """Returns the path of the archive, whether it or its directory was named.

    Raises:
        DataError: it is not there.
    """
    path = source_dir / FILE if source_dir.is_dir() else source_dir
    if not path.is_file():
        raise DataError(
            f"There is no file {path}. data.source_dir is {FILE} as Keras distributes it "
            "(keras.datasets.mnist), or the directory that holds it."
        )
    return path


def inspect(source_dir: Path, options: DatasetOptions) -> SourceLayout:
    """Checks that the archive is there.

    Raises:
        DataError: it is not.
    """
    archive_of(source_dir)
    return SourceLayout(CLASSES, ("train", "validation", "test"))


SPECS = (
    DatasetSpec(
        name="rotated_mnist",
        summary="Handwritten digits, each rotated by an angle of its own, from mnist.npz.",
        source="lensnet.datasets.rotated_mnist.rotated_digits:RotatedDigitsSource",
        options=Options,
        offers=("classes",),
        classes=CLASSES,
        inspect=inspect,
    ),
)
