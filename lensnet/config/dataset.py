"""What the configuration must know of a data set before any file is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lensnet.config.folder_layout import FolderLayout
from lensnet.config.task import TaskSpec

__all__ = [
    "DatasetOptions",
    "DatasetSpec",
    "FileOptions",
    "Hdu",
    "HduOrList",
    "SimulatedOptions",
    "SourceLayout",
]

Hdu = int | str
"""Number or name (EXTNAME) of the part of a FITS file."""

HduOrList = Hdu | Annotated[list[Hdu], Field(min_length=1)]
"""One such, or one for each band."""


class DatasetOptions(BaseModel):
    """Base of what `data.options` may hold: each data set extends it with its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @property
    def based_on(self) -> dict[str, Any] | None:
        """The keys of `data` of the data set that says how files are read; None for itself."""
        return None

    def simulator_arguments(self) -> dict[str, Any]:
        """Returns what the simulator is called with, where there is one."""
        return {"image_size": getattr(self, "image_size")}  # noqa: B009 (those with one have it)

    def simulated_examples(self) -> int | dict[str, int]:
        """Returns how many images are simulated: of each class alike, or by its name."""
        count: int = getattr(self, "examples", None) or getattr(self, "examples_per_class")  # noqa: B009
        return count


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


class SimulatedOptions(DatasetOptions):
    """Options of the data sets that a simulator of DeepLense's setting makes."""

    image_size: int = Field(
        150, ge=16, le=512, description="Pixels a side, over the same 7.5 arcsec of sky."
    )
    examples_per_class: int = Field(1000, ge=4, description="Images of each class, in all.")


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

    Where its images come from is said by one of `simulator`, `folders` and `source`.

    Args:
        name: the name in `data.dataset`.
        summary: one line for `lensnet datasets`.
        options: the pydantic model of `data.options`.
        offers: what it knows of an image, a class or a target; both where the options decide.
        classes: the class names in label order; None where the user's files decide, or for
            regression. For a binary task the second class is the positive one.
        inspect: for data sets whose files decide the classes or the splits, a function of the
            source directory and the options that finds both without reading an image; raises
            `DataError` where the directory does not hold any.
        simulator: `"module:class"` of a simulator, which is called with `options.image_size`.
        folders: the folders of images, where their names are fixed.
        source: `"module:callable"` that makes a `lensnet.data.sources.source.Source` from the
            source directory and the options.
    """

    name: str
    summary: str
    options: type[DatasetOptions]
    offers: tuple[Literal["classes", "targets"], ...]
    classes: tuple[str, ...] | None = None
    inspect: Callable[[Path, Any], SourceLayout] | None = None
    simulator: str | None = None
    folders: FolderLayout | None = None
    source: str | None = None

    @property
    def dataset(self) -> str:
        """The name of the builder, and of its folder in `datasets/`."""
        return self.name.partition("/")[0]

    @property
    def variant(self) -> str:
        """The name after the slash; "" if there is none."""
        return self.name.partition("/")[2]

    @property
    def builder(self) -> str:
        """`"module:class"` of the TFDS builder."""
        return f"lensnet.datasets.{self.dataset}.{self.dataset}_dataset_builder:Builder"

    @property
    def needs_source_dir(self) -> bool:
        """Whether it reads the user's files from `data.source_dir`."""
        return self.simulator is None

    def serves(self, task: TaskSpec) -> bool:
        """Returns whether a task can be learned from it, as far as its classes are known."""
        fitting = self.classes is None or task.num_classes in (None, len(self.classes))
        return task.learns in self.offers and fitting

    def layout(self, source_dir: Path | None, options: DatasetOptions) -> SourceLayout:
        """Returns the classes and splits on offer, found by listing directories alone.

        Raises:
            DataError: the user's directory is missing, or not what the data set reads.
        """
        if source_dir is not None and self.inspect is not None:
            return self.inspect(source_dir, options)
        if source_dir is not None and self.folders is not None:
            _, folders = self.folders.found_in(source_dir)
            # A split that has no folder is cut from the training one.
            splits = ("train", "validation", "test") if folders.splits else ()
            return SourceLayout(folders.classes, splits)
        return SourceLayout(self.classes or ())
