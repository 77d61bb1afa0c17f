"""What a data set is prepared from, and the name that follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import tensorflow_datasets as tfds
from pydantic import BaseModel, ValidationError

from lensnet.config.dataset import DatasetOptions, DatasetSpec
from lensnet.config.sections import Splits
from lensnet.data.records.fingerprint import fingerprint
from lensnet.data.sources.folder_listing import Listing
from lensnet.data.sources.source import Source
from lensnet.data.sources.source_factory import make_source
from lensnet.data.sources.splits import SplitPlan
from lensnet.errors import ConfigurationError

__all__ = ["LensConfig", "configured", "name_of"]

Model = TypeVar("Model", bound=BaseModel)


@dataclasses.dataclass(eq=False)
class LensConfig(tfds.core.BuilderConfig):
    """What a data set is prepared from. `LensDatasetBuilder.configure` makes and names one.

    Args:
        name: the folder of the records, below that of the builder.
        variant: the name after the slash in `data.dataset`, such as `simulated`; "" if none.
        options: `data.options`.
        source_dir: the user's files; None for data sets that read none.
        splits: `data.splits`.
        seed: the seed of the splits and of simulated images.
        stratify: `data.stratify`.
        fresh: `data.fresh`: of the training images only a sample is prepared.
        folds: `training.folds`; None for three splits.
        source: where the examples come from, where that has been found out.
        listing: the examples, where they have been listed.
    """

    name: str = ""
    variant: str = ""
    options: DatasetOptions | Mapping[str, Any] = dataclasses.field(default_factory=dict)
    source_dir: str | None = None
    splits: Splits | Mapping[str, Any] | None = None
    seed: int = 0
    stratify: bool = True
    fresh: bool = False
    folds: int | None = None
    source: Source | None = dataclasses.field(default=None, repr=False)
    listing: Listing | None = dataclasses.field(default=None, repr=False)

    @property
    def found(self) -> Source:
        """`source`, of a configuration that has been through `configure`."""
        if self.source is None:
            raise ValueError("The configuration has not been through LensDatasetBuilder.configure.")
        return self.source

    @property
    def plan_splits(self) -> Splits | None:
        """`splits`, checked."""
        return None if self.splits is None else _checked(Splits, self.splits)

    def plan_for(self, source: Source) -> SplitPlan:
        """Returns how the examples of a source are divided."""
        return SplitPlan.make(
            self.plan_splits, source.splits, self.seed, stratify=self.stratify, folds=self.folds
        )


def name_of(variant: str) -> str:
    """Returns what the records of a variant are called, before any fingerprint."""
    return variant or "files"


def configured(
    spec: DatasetSpec,
    version: str,
    options: DatasetOptions | Mapping[str, Any],
    source_dir: str | Path | None,
    splits: Splits | Mapping[str, Any] | None,
    seed: int,
    stratify: bool,
    fresh: bool = False,
    folds: int | None = None,
) -> LensConfig:
    """Lists a source and returns a configuration that is named after what was found.

    Args:
        spec: the data set.
        version: of its builder.
        options: `data.options`.
        source_dir: the user's files.
        splits: `data.splits`.
        seed: `data.seed`.
        stratify: `data.stratify`.
        fresh: `data.fresh`.
        folds: `training.folds`.

    Raises:
        DataError: the source holds no examples.
        ConfigurationError: the options or splits are not such.
    """
    checked = _checked(spec.options, options)
    config = LensConfig(
        variant=spec.variant,
        description=spec.summary,
        options=checked,
        source_dir=str(Path(source_dir).expanduser()) if source_dir is not None else None,
        splits=None if splits is None else _checked(Splits, splits),
        seed=seed,
        # Simulated images are divided evenly by their number.
        stratify=stratify and spec.simulator is None,
        fresh=fresh,
        folds=folds,
    )
    root = None if config.source_dir is None else Path(config.source_dir)
    config.source = make_source(spec, checked, root, seed)
    config.listing = config.source.list()
    settings = {
        "version": version,
        "options": checked.model_dump(mode="json"),
        "classes": config.source.classes,
        "splits": config.plan_for(config.source).description,
        # Only where it changes something: what was prepared before it was known keeps its name.
        **({"fresh": True} if fresh else {}),
    }
    digits = fingerprint(settings, config.source.fingerprint_entries(config.listing))
    config.name = f"{name_of(spec.variant)}-{digits}"
    return config


def _checked(model: type[Model], content: BaseModel | Mapping[str, Any]) -> Model:
    """Returns what a mapping says, as the model that it is of.

    Raises:
        ConfigurationError: it is not of that model.
    """
    if isinstance(content, model):
        return content
    if isinstance(content, BaseModel):
        raise ConfigurationError(f"Needs {model.__name__}; got {type(content).__name__}.")
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, details['loc'])) or 'together'}: {details['msg']}"
            for details in error.errors()
        )
        raise ConfigurationError(f"{model.__name__}: {problems}.") from None
