"""What `data.options` may hold for graded candidates, and what they are added to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lensnet import registry
from lensnet.config.dataset import DatasetOptions, DatasetSpec, SourceLayout
from lensnet.config.sections import Splits
from lensnet.data.sources.splits import SPLITS
from lensnet.datasets.graded.candidate_splits import HELD_OUT, HELD_OUT_SHARE, VALIDATION_SHARE
from lensnet.errors import ConfigurationError, UnknownNameError

__all__ = ["NAME", "SPECS", "BaseData", "Options", "inspect"]

NAME = "graded"
"""The name in `data.dataset`."""


class BaseData(BaseModel):
    """The data set that candidates are added to, by keys of `data` and `training` of its run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dataset: str = Field(description="The data set.")
    source_dir: str | None = Field(None, description="Its `data.source_dir`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Its `data.options`.")
    splits: Splits | None = Field(None, description="Its `data.splits`: fractions, or none.")
    seed: int = Field(0, ge=0, description="Its `data.seed`.")
    stratify: bool = Field(True, description="Its `data.stratify`.")
    folds: int | None = Field(None, ge=3, description="Its `training.folds`.")
    fold: int | None = Field(None, ge=0, description="Its `training.fold`.")

    @field_validator("dataset")
    @classmethod
    def _another_data_set(cls, name: str) -> str:
        if name == NAME:
            raise ValueError(f"{NAME} is added to another data set: name that one")
        try:
            registry.datasets.get(name)
        except UnknownNameError as error:
            raise ValueError(str(error)) from None
        return name

    @model_validator(mode="after")
    def _options_and_splits_fit(self) -> BaseData:
        spec = self.spec
        try:
            self.checked_options  # noqa: B018
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, ("options", *first["loc"])))
            raise ValueError(f"{key}: {first['msg']}") from None
        if spec.needs_source_dir and self.source_dir is None:
            raise ValueError(f"{spec.name} reads files: say where they are, with source_dir")
        if (self.folds is None) != (self.fold is None) or (self.fold or 0) >= (self.folds or 1):
            raise ValueError("folds and fold go together, and fold counts from 0 up to folds - 1")
        sliced = self.splits is not None and not self.splits.are_fractions
        if sliced and self.splits != Splits(**dict(zip(SPLITS, SPLITS, strict=True))):
            raise ValueError(
                "splits that are slices of others cannot be kept when candidates are added; use "
                "fractions, or the data set's own splits"
            )
        return self

    @property
    def spec(self) -> DatasetSpec:
        """What is known of the data set."""
        return registry.datasets.get(self.dataset)

    @property
    def checked_options(self) -> DatasetOptions:
        """Its options, checked, with its defaults."""
        return self.spec.options.model_validate(self.options)

    @property
    def path(self) -> Path | None:
        """Its files; a relative path is relative to the working directory."""
        return Path(self.source_dir).expanduser() if self.source_dir else None


class Options(DatasetOptions):
    """Options of `graded`."""

    base: BaseData | None = Field(
        None,
        description="The data set that candidates are added to, whose splits stay what they are. "
        "It must be said.",
    )
    candidates: str = Field(
        "candidates.csv",
        description="The table of candidates, below source_dir: id, file, label, and where known "
        "weight, split, group. Files are named from the table on.",
    )
    held_out: float = Field(
        HELD_OUT_SHARE,
        ge=0,
        lt=1,
        description="Share of the candidates without a split in the table, by the hash of their "
        "group or id, that is never trained on: the split held_out.",
    )
    validation: float = Field(
        VALIDATION_SHARE, ge=0, lt=1, description="Share of them that joins the validation split."
    )
    max_bad: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of all examples that may be bad; or the base's, where that is more.",
    )

    @model_validator(mode="after")
    def _some_are_trained_on(self) -> Options:
        if self.held_out + self.validation >= 1:
            raise ValueError("held_out and validation must leave some to train on")
        return self

    @property
    def known_base(self) -> BaseData:
        """`base`.

        Raises:
            ConfigurationError: nobody has said it.
        """
        if self.base is None:
            raise ConfigurationError(
                "data.options.base: say which data set the candidates are added to, by its keys "
                "dataset, source_dir, options, splits and seed.",
                key="data.options.base",
            )
        return self.base

    @property
    def based_on(self) -> dict[str, Any] | None:
        """The base's data set, files and options; see `DatasetOptions.based_on`."""
        base = self.known_base
        return {"dataset": base.dataset, "source_dir": base.source_dir, "options": base.options}

    # How files of the base's kind are read, for `FileReader.from_options`.

    @property
    def bands(self) -> Any:
        """The base's bands, where each has a file."""
        return self._of_base("bands", None)

    @property
    def file_pattern(self) -> Any:
        """How the base's files are named."""
        return self._of_base("file_pattern", None)

    @property
    def bands_apart(self) -> Any:
        """Whether the files of a band lie in a folder of their own."""
        return self._of_base("bands_apart", False)

    @property
    def hdu(self) -> Any:
        """The FITS extension of the base's files."""
        return self._of_base("hdu", None)

    @property
    def max_nonfinite(self) -> Any:
        """Share of an image's pixels that may be missing, as the base has it."""
        return self._of_base("max_nonfinite", 0.05)

    @property
    def mask_value(self) -> Any:
        """The value of masked pixels in the base's files."""
        return self._of_base("mask_value", None)

    def _of_base(self, name: str, otherwise: Any) -> Any:
        if self.base is None:
            return otherwise
        return getattr(self.base.checked_options, name, otherwise)


def inspect(source_dir: Path, options: Options) -> SourceLayout:
    """Finds the classes of the base; see `DatasetSpec.inspect`.

    Raises:
        DataError: the base's files, or the table of candidates, are missing.
    """
    from lensnet.datasets.graded.candidate_table import find_table

    find_table(source_dir, options.candidates)
    base = options.known_base
    classes = base.spec.layout(base.path, base.checked_options).classes
    return SourceLayout(classes, (*SPLITS, HELD_OUT))


SPECS = (
    DatasetSpec(
        name=NAME,
        summary="Another data set and candidates that were graded; `lensnet learn` writes it.",
        source="lensnet.datasets.graded.graded_source:GradedSource",
        options=Options,
        offers=("classes",),
        inspect=inspect,
    ),
)
