"""How pixel values become the numbers that a network takes: `data.normalization`."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lensnet.config.section import Pair, Section

__all__ = ["SCALES", "STRETCHES", "Normalization", "Scale", "Stretch"]

Scale = Literal[
    "none",
    "per_image_min_max",
    "per_image_standard",
    "dataset_min_max",
    "dataset_standard",
]
Stretch = Literal["none", "asinh", "sqrt", "log"]
SCALES: tuple[str, ...] = get_args(Scale)
STRETCHES: tuple[str, ...] = get_args(Stretch)

# Those of astropy.visualization: AsinhStretch has a = 0.1, LogStretch 1 / a = 1 / 1000.
_SOFTENING = {"asinh": 0.1, "log": 0.001}


class Normalization(Section):
    """What is done to pixel values, each band by itself: clip, then stretch, then scale.

    In a file the name of a scale alone stands for that scale without clip and stretch:
    `normalization: per_image_standard`.

    Example:

    >>> Normalization.model_validate("dataset_standard").scale
    'dataset_standard'
    >>> how = Normalization.model_validate({"stretch": "asinh", "scale": "dataset_standard"})
    >>> how.softening, how.limits
    (0.1, 'dataset')
    """

    clip_percentiles: Pair | None = Field(
        None,
        description="First, pixels below the first and above the second percentile are set to it: "
        "[0.5, 99.5].",
    )
    stretch: Stretch = Field(
        "none",
        description="Then the limits are mapped to 0 and 1, and values x bent: asinh(x / "
        "softening) / asinh(1 / softening), sqrt(x), or log(1 + x / softening) / log(1 + 1 / "
        "softening). Below 0, where only limits of the data set leave anything, the curve goes on "
        "as its mirror image, -f(-x): nothing is lost and nothing is NaN.",
    )
    softening: float | None = Field(
        None,
        ge=1e-9,
        le=10,
        description="Of asinh and log: where the curve turns from a line to a logarithm, as a "
        "share of the range between the limits. Default: 0.1 for asinh, 0.001 for log.",
    )
    limits: Literal["per_image", "dataset"] = Field(
        "per_image",
        description="Whose percentiles, or smallest and largest pixel, clip and stretch go by: "
        "each image's, or those of all pixels of the training split. Default: as the scale.",
    )
    scale: Scale = Field(
        "per_image_min_max",
        description="Last, min_max leads to 0..1 and standard to mean 0 and standard deviation 1: "
        "per_image by the image's own pixels, dataset by those of the training split.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            raw = {"scale": raw}
        if not isinstance(raw, dict):
            return raw
        filled = dict(raw)
        if filled.get("limits") is None:
            by_data = str(filled.get("scale")).startswith("dataset_")
            filled["limits"] = "dataset" if by_data else "per_image"
        if filled.get("softening") is None and isinstance(filled.get("stretch"), str):
            filled["softening"] = _SOFTENING.get(filled["stretch"])
        return filled

    @model_validator(mode="after")
    def _fits_together(self) -> Normalization:
        if self.softening is not None and self.stretch not in _SOFTENING:
            raise ValueError(
                f"softening belongs to the stretches asinh and log; the stretch is {self.stretch}"
            )
        low, high = self.clip_percentiles or (0, 100)
        if low < 0 or high > 100 or low == high:
            raise ValueError(
                f"clip_percentiles must be two different numbers from 0 to 100; got {[low, high]}"
            )
        return self

    @property
    def has_limits(self) -> bool:
        """Whether there is a clip or a stretch, which go by limits."""
        return self.clip_percentiles is not None or self.stretch != "none"

    @property
    def needs_training_images(self) -> bool:
        """Whether it goes by statistics of the training split."""
        return self.scale.startswith("dataset_") or (self.has_limits and self.limits == "dataset")

    @model_serializer(mode="wrap")
    def _briefly(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any] | str:
        plain = self == Normalization.model_validate(self.scale)
        return self.scale if plain else handler(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A scale's name, or a mapping."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        return {
            "description": mapping.pop("description", "").partition("\n")[0],
            "anyOf": [{"enum": list(SCALES)}, mapping],
        }
