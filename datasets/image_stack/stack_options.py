"""What `data.options` may hold for a stack of images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lensnet.config.dataset import FileOptions

__all__ = ["Options"]

_WHERE = (
    "A dataset of the HDF5 file, a file of one array beside it, or a column of the table or the "
    "Parquet file"
)


class Options(FileOptions):
    """Options of `image_stack`."""

    images: str | None = Field(
        None,
        description="Dataset of the HDF5 file, or .npy file below source_dir, of the images: "
        "(N, H, W), (N, C, H, W) or (N, H, W, C); or column of the Parquet file: pictures, or "
        "lists of numbers. Default: X or images, or else the only one that there is.",
    )
    shape: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=2,
        max_length=3,
        description="The image that the numbers in each row of a Parquet file are: [H, W], "
        "[C, H, W] or [H, W, C], rows first. Needed for plain lists. Default: that of nested ones.",
    )
    table: str | None = Field(
        None,
        description="A table, CSV or FITS, below source_dir, with a row for each image, in their "
        "order. What the options below name are then its columns. Default: the only .csv or .tsv "
        "file beside an .npy file, where they name no files.",
    )
    labels: str | None = Field(
        None,
        description=f"{_WHERE}, of the classes: a word or a number for each image, or a row of "
        "zeros with a single one. Default: y, labels, label or ans.",
    )
    classes: list[str] | None = Field(
        None,
        min_length=1,
        description="Classes in label order; for a binary task the second is the positive one. "
        "Where labels are numbers and the classes words, these are what 0, 1, ... mean. An image "
        "of any other class is bad. Default: all that there are.",
    )
    targets: str | None = Field(
        None,
        description=f"{_WHERE}, of the numbers that a regression predicts, instead of labels.",
    )
    ids: str | None = Field(
        None,
        description=f"{_WHERE}, of the ids, which no two images may share. Default: the image's "
        "number in the stack, from 0.",
    )
    groups: str | None = Field(
        None,
        description=f"{_WHERE}, that is the same for images which must share a split.",
    )

    @model_validator(mode="after")
    def _labels_or_targets(self) -> Options:
        if self.targets is not None and (self.labels is not None or self.classes is not None):
            raise ValueError("give labels and classes, or targets, not both")
        return self

    @property
    def unlabelled(self) -> Options:
        """The same for a stack of which nobody knows what is to be learned."""
        unknown = ("labels", "classes", "targets", "groups", "table")
        return self.model_copy(update=dict.fromkeys(unknown))
