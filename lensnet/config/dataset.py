"""What the configuration must know of a data set before any file is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DatasetOptions", "DatasetSpec", "FileOptions", "SourceLayout", "Task"]

Task = Literal["classification", "binary", "regression"]


class DatasetOptions(BaseModel):
    """Base of what `data.options` may hold: each data set extends it with its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileOptions(DatasetOptions):
    """Options of the data sets that read the user's files."""

    max_bad: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of files that may be bad before preparation ends with exit code 3.",
    )
    max_nonfinite: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of an image's pixels that may be NaN or infinite. Within it they are "
        "filled with the median of the band's finite pixels; above it the image is bad.",
    )


@dataclass(frozen=True)
class SourceLayout:
    """What a directory of the user's files offers.

    Args:
        classes: the class names in label order, () for regression targets.
        splits: the splits on offer where the directory names its own, () where it names none.
    """

    classes: tuple[str, ...]
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetSpec:
    """One `builder` or `builder/config` of `data.dataset`.

    Args:
        name: the name in `data.dataset`.
        summary: one line for `lensnet datasets`.
        builder: `"module:class"` of the TFDS builder.
        options: the pydantic model of `data.options`.
        tasks: the tasks it can serve.
        classes: the class names in label order; None where the user's files decide (or for
            regression). For a binary task the second class is the positive one.
        needs_source_dir: whether it reads the user's files from `data.source_dir`.
        inspect: for data sets whose files decide the classes or the splits, a function of the
            source directory and the options that finds both without reading an image; raises
            `DataError` where the directory does not hold any.
    """

    name: str
    summary: str
    builder: str
    options: type[DatasetOptions]
    tasks: tuple[Task, ...]
    classes: tuple[str, ...] | None = None
    needs_source_dir: bool = False
    inspect: Callable[[Path, DatasetOptions], SourceLayout] | None = None
