"""The keys of `training` that say when its state is written, and when it ends."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lensnet.config.section import Section

__all__ = ["Checkpoints", "TimeBudget", "seconds_of"]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit})?" for unit in _UNITS))


class Checkpoints(Section):
    """How often the state of a training is written within an epoch; at its end it always is."""

    steps: int | None = Field(
        None, ge=1, description="After every so many steps of an epoch. Default: none by steps."
    )
    minutes: float | None = Field(
        10.0, gt=0, description="After so many minutes without one. null: none by minutes."
    )


def seconds_of(duration: str) -> float:
    """Returns the seconds of a duration, such as `"2h30m"`.

    Raises:
        ValueError: it is not one, or nothing.

    >>> seconds_of("2h30m"), seconds_of("1.5h"), seconds_of("1d")
    (9000.0, 5400.0, 86400.0)
    """
    found = _DURATION.fullmatch(duration.replace(" ", ""))
    parts = found.groupdict(default="0") if found else {}
    seconds = sum(float(number) * _UNITS[unit] for unit, number in parts.items())
    if not seconds:
        raise ValueError(
            "a duration is days, hours, minutes and seconds with their letters, such as 1d12h, "
            f"2h30m or 45m; got {duration!r}"
        )
    return seconds


def _checked(duration: Any) -> Any:
    # A number alone would leave open of what.
    seconds_of(str(duration))
    return duration


TimeBudget = Annotated[str, BeforeValidator(_checked)]
"""A duration with its units, as `seconds_of` reads it."""
