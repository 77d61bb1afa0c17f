"""What the configuration knows of a stack of images, and what such a stack offers."""

from __future__ import annotations

from pathlib import Path

from lensnet.config.dataset import DatasetSpec, SourceLayout
from lensnet.datasets.image_stack.stack_options import Options

__all__ = ["SPECS", "Options", "inspect"]


def inspect(source_dir: Path, options: Options) -> SourceLayout:
    """Finds the classes of a stack by reading its labels, and none of the images.

    Raises:
        DataError: there is no stack, or nothing that says what is to be learned.
    """
    from lensnet.datasets.image_stack.contents import contents_of

    return SourceLayout(contents_of(source_dir, options).classes)


SPECS = (
    DatasetSpec(
        name="image_stack",
        summary="Your own images in one array (HDF5, X.npy), or a column of Parquet files.",
        source="lensnet.datasets.image_stack.stack_source:StackSource",
        options=Options,
        offers=("classes", "targets"),
        inspect=inspect,
    ),
)
