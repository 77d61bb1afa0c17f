"""Random changes of training images: the items of `data.augmentation`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lensnet.config.section import Pair, Section
from lensnet.errors import did_you_mean

__all__ = [
    "Augmentation",
    "BandDropout",
    "Blur",
    "CutMix",
    "Flip",
    "FourierMix",
    "GridMask",
    "MixUp",
    "Noise",
    "RandAugment",
    "RandomErasing",
    "Resampled",
    "Rotate",
    "Rotate90",
    "Shift",
    "Zoom",
]


# --- where the pixels lie -------------------------------------------------------------------------


class Flip(Section):
    """Reflects left to right, and top to bottom, each with probability one half."""


class Rotate90(Section):
    """Rotates by 0, 90, 180 or 270 degrees, with equal probability."""


class Resampled(Section):
    """Base of the changes for which pixels are interpolated.

    Geometric changes that follow each other with the same `fill` and `interpolation`, flips and
    right-angle rotations among them, are one map from image to image: pixels are interpolated once.
    """

    fill: Literal["reflect", "edge", "constant"] = Field(
        "reflect",
        description="What lies beyond the edge: the image reflected there, its outermost pixels, "
        "or 0, which is the lowest pixel after a min_max scale and the mean after a standard one.",
    )
    interpolation: Literal["cubic", "bilinear"] = Field(
        "cubic",
        description="Cubic (Keys 1981), or bilinear, which is about three times as fast and "
        "smooths noise more: 0.67 of its standard deviation are left, 0.81 with cubic.",
    )


class Rotate(Resampled):
    """Rotates about the centre by an angle uniform in +-degrees."""

    degrees: float = Field(15.0, gt=0, le=180, description="Largest angle, either way.")


class Shift(Resampled):
    """Shifts by a distance uniform in +-pixels along each axis, fractions of a pixel included."""

    pixels: float = Field(2.0, gt=0, description="Largest shift along an axis.")


class Zoom(Resampled):
    """Magnifies about the centre; the logarithm of the factor is uniform."""

    range: Pair = Field(
        (0.9, 1.1), description="Smallest and largest factor; above 1 enlarges. Not for regression."
    )

    @field_validator("range")
    @classmethod
    def _within_reason(cls, factors: tuple[float, float]) -> tuple[float, float]:
        if factors[0] < 0.1 or factors[1] > 10:
            raise ValueError(f"the factors must lie from 0.1 to 10; got {list(factors)}")
        return factors


# --- what the pixels hold -------------------------------------------------------------------------


class Noise(Section):
    """Adds Gaussian noise, independent from pixel to pixel."""

    sigma: float = Field(
        0.01, gt=0, description="Standard deviation, in units of the normalised image."
    )


class Blur(Section):
    """Convolves with a round Gaussian, as worse seeing would."""

    sigma_pixels: float = Field(
        0.5,
        gt=0,
        le=20,
        description="Largest standard deviation of the Gaussian; each image's is uniform from 0.",
    )


class BandDropout(Section):
    """Sets whole bands to 0, as if they had not been observed; one is always kept."""

    probability: float = Field(0.1, gt=0, le=1, description="Of each band to be lost.")


class RandomErasing(Section):
    """Erases a rectangle (Zhong et al. 2020); Keras's layer."""

    probability: float = Field(0.5, gt=0, le=1, description="Of an image to lose a rectangle.")
    area: Pair = Field(
        (0.02, 0.33),
        description="Smallest and largest share of the image: the squares of the rectangle's "
        "width and height, as shares of the image's, are uniform between them.",
    )
    fill: Literal["lowest", "noise"] = Field(
        "lowest",
        description="The image's lowest pixel, or half a Gaussian between lowest and highest.",
    )

    @field_validator("area")
    @classmethod
    def _is_share(cls, area: tuple[float, float]) -> tuple[float, float]:
        return _shares("area", area)


class GridMask(Section):
    """Erases the squares of a rotated grid (Chen et al. 2020); keras-cv's layer."""

    ratio: Pair = Field(
        (0.0, 0.5), description="Smallest and largest side of a square, as a share of the spacing."
    )
    degrees: float = Field(54.0, ge=0, le=180, description="Largest angle of the grid.")

    @field_validator("ratio")
    @classmethod
    def _is_share(cls, ratio: tuple[float, float]) -> tuple[float, float]:
        return _shares("ratio", ratio)


class RandAugment(Section):
    """Some of eleven changes of shape and contrast, drawn for each image (Cubuk et al. 2020).

    Keras's layer. Not for regression: it shears.
    """

    operations: int = Field(2, ge=1, le=8, description="How many, one after the other.")
    magnitude: float = Field(0.5, gt=0, le=1, description="How strong.")


# --- several images at once -----------------------------------------------------------------------


class MixUp(Section):
    """Mixes each image and its label or target with another of the batch (Zhang et al. 2018).

    Keras's layer. The training metrics are then of mixed labels; validation's are not.
    """

    alpha: float = Field(
        0.2, ge=0.05, le=10, description="Of the beta distribution of the mixing weight."
    )


class CutMix(Section):
    """Puts a rectangle of another image in, and mixes labels by area (Yun et al. 2019).

    Keras's layer. The training metrics are then of mixed labels. Not for regression.
    """

    alpha: float = Field(
        1.0, ge=0.05, le=1, description="Of the beta distribution of the area that is kept."
    )


class FourierMix(Section):
    """Puts random smooth shapes of another image in (FMix; Harris et al. 2020); keras-cv's layer.

    The training metrics are then of mixed labels. Not for regression.
    """

    alpha: float = Field(
        0.5, ge=0.05, le=10, description="Of the beta distribution of the area that is kept."
    )
    decay_power: float = Field(3.0, gt=0, le=10, description="Smoothness of the shapes.")


# --- an item of the list --------------------------------------------------------------------------


class Augmentation(Section):
    """One random change: a name alone, or a name and its options, `{rotate: {degrees: 15}}`.

    Example:

    >>> rotation = Augmentation.model_validate({"rotate": {"degrees": 30}})
    >>> rotation.name, rotation.options.degrees
    ('rotate', 30.0)
    >>> Augmentation.model_validate("flip").name
    'flip'
    """

    flip: Flip | None = None
    rotate90: Rotate90 | None = None
    rotate: Rotate | None = None
    shift: Shift | None = None
    zoom: Zoom | None = None
    noise: Noise | None = None
    blur: Blur | None = None
    band_dropout: BandDropout | None = None
    random_erasing: RandomErasing | None = None
    grid_mask: GridMask | None = None
    rand_augment: RandAugment | None = None
    mixup: MixUp | None = None
    cutmix: CutMix | None = None
    fourier_mix: FourierMix | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, raw: Any) -> Any:
        known = list(cls.model_fields)
        allowed = f"Allowed: {', '.join(known)}"
        if isinstance(raw, str):
            if raw not in known:
                meant = did_you_mean(raw, known)
                raise ValueError(f'there is no augmentation "{raw}".{meant} {allowed}')
            return {raw: {}}
        if isinstance(raw, dict):
            if len(raw) != 1:
                raise ValueError(
                    "an augmentation is one name with its options, such as {rotate: {degrees: "
                    f"15}}}}; got {len(raw)} ({', '.join(map(str, raw)) or 'none'}). {allowed}"
                )
            # `- flip:` is a name without options too.
            return {name: {} if options is None else options for name, options in raw.items()}
        if isinstance(raw, Augmentation):
            return raw
        raise ValueError(f"an augmentation is a name, or a name and its options; got {raw!r}")

    @property
    def mixes_images(self) -> bool:
        """Whether what becomes of an image depends on the others of its batch."""
        return self.name in ("mixup", "cutmix", "fourier_mix")

    @property
    def name(self) -> str:
        """Which augmentation it is."""
        return next(iter(self.model_fields_set))

    @property
    def options(self) -> Section:
        """What it is to do."""
        options: Section = getattr(self, self.name)
        return options

    @model_serializer(mode="wrap")
    def _briefly(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any] | str:
        """A name that takes no options, or a name and every option written out."""
        options = handler(self)[self.name]
        return {self.name: options} if options else self.name

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A name, or a mapping of one name."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        # Of `Section | None`, the section: to leave an augmentation out is not to name it.
        options = {name: schema["anyOf"][0] for name, schema in mapping["properties"].items()}
        return {
            "description": mapping.get("description", "").partition("\n")[0],
            "anyOf": [
                {"enum": list(options)},
                {
                    "type": "object",
                    "properties": options,
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        }


def _shares(name: str, pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] < 0 or pair[1] > 1:
        raise ValueError(f"{name} must lie from 0 to 1; got {list(pair)}")
    return pair
