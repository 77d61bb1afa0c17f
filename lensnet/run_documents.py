"""Reading the JSON of a run folder, which comes from others: whole, of the right types, or refused.

Nothing here imports a framework: a damaged folder is refused before the seconds that takes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from lensnet.config.normalization import Normalization
from lensnet.errors import RunError

__all__ = ["DataDescription", "PreprocessingDescription", "parse_data_description", "read_json"]

# Far more than lensnet writes: a file of classes and counts.
_LARGEST_FILE = 16 * 2**20

Side = Annotated[int, Field(gt=0, le=100_000)]
Shape = tuple[Side, Side, Side]
Numbers = tuple[FiniteFloat, ...] | None
# <data set>/<fingerprint>/<version>, below the directory of all prepared data.
_RECORDS = re.compile(r"[\w-]+(/[\w+-][\w.+-]*){2}")


class PreprocessingDescription(BaseModel):
    """The preprocessing of a run, as `Preprocessing.to_dict` writes it; see there."""

    # What a later version adds would change the values: it is not to be left out in silence.
    model_config = ConfigDict(extra="forbid", frozen=True)

    native_shape: Shape
    image_size: Side | None = None
    normalization: Normalization = Normalization()
    offset: Numbers = None
    scale: Numbers = None
    low: Numbers = None
    high: Numbers = None
    repeat_channels: Side | None = None
    crop: Side | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> PreprocessingDescription:
        how, bands = self.normalization, self.native_shape[2]
        needs = {
            **dict.fromkeys(("low", "high"), how.has_limits and how.limits == "dataset"),
            **dict.fromkeys(("offset", "scale"), how.scale.startswith("dataset_")),
        }
        for name, is_needed in needs.items():
            given = getattr(self, name)
            if (given is not None) != is_needed or (is_needed and len(given) != bands):
                raise ValueError(f"{name} does not fit the normalization and {bands} band(s)")
        for side in self.native_shape[:2]:
            cut = side if self.crop is None else self.crop
            if cut > side or (side - cut) % 2:
                raise ValueError(f"crop {cut} is not in the middle of {side} pixels")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, as `Preprocessing.from_dict` reads them."""
        return self.model_dump(mode="json")


class DataDescription(BaseModel):
    """What a run was trained on: `data.json`.

    Args:
        records: the name of the prepared records; None in a run of an earlier version.
        classes: the class names in label order; () for a regression.
        native_shape: (H, W, C) of the raw images.
        image_shape: (H, W, C) as the network takes them.
        preprocessing: from the one to the other.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    records: str | None = None
    classes: tuple[str, ...]
    native_shape: Shape
    image_shape: Shape
    preprocessing: PreprocessingDescription

    @model_validator(mode="after")
    def _fits_together(self) -> DataDescription:
        # A name that led elsewhere would have files read outside the directory of records.
        if self.records is not None and not _RECORDS.fullmatch(self.records):
            raise ValueError(f"records is not the name of prepared records: {self.records!r}")
        if self.preprocessing.native_shape != self.native_shape:
            raise ValueError("preprocessing is for images of another shape than native_shape")
        height, width, bands = self.native_shape
        repeats = self.preprocessing.repeat_channels or 1
        side = self.preprocessing.image_size or self.preprocessing.crop
        if self.image_shape != (side or height, side or width, bands * repeats):
            raise ValueError("image_shape is not what the preprocessing makes")
        return self


def parse_data_description(path: Path, content: Any) -> DataDescription:
    """Checks what `data.json` holds.

    Args:
        path: the file, for the message.
        content: what was read.

    Raises:
        RunError: it is damaged.
    """
    try:
        return DataDescription.model_validate(content)
    except (ValidationError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            message = " ".join(first["msg"].removeprefix("Value error, ").split())
            reason = f"{place}: {message}" if place else message
        else:
            reason = "it is nested too deeply"
        raise RunError(f"{path} is damaged: {reason[:300]}.") from None


def read_json(path: Path) -> Any:
    """Reads a JSON file of a run folder.

    Raises:
        FileNotFoundError: there is none.
        RunError: it is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise ValueError(f"it has {size / 2**20:.0f} MB")
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise RunError(f"{path} is damaged: it is nested too deeply.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None
