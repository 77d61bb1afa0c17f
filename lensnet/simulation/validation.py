"""Checks of option values, with messages that say what came and what is allowed."""

from __future__ import annotations

import math
import operator

__all__ = ["check_instance", "check_integer", "check_interval", "check_number", "check_range"]


def check_instance(name: str, value: object, kind: type) -> None:
    """Raises ValueError unless `value` is a `kind`."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}; got {value!r}.")


def check_integer(name: str, value: object, minimum: int) -> None:
    """Raises ValueError unless `value` is an integer (a NumPy one counts) of at least `minimum`."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value!r}.")


def check_number(
    name: str,
    value: float,
    *,
    above: float = -math.inf,
    minimum: float = -math.inf,
    below: float = math.inf,
    maximum: float = math.inf,
) -> None:
    """Raises ValueError unless `value` is a finite number within the bounds.

    `above` and `below` are bounds that the value may not reach; `minimum` and `maximum` it may.

    >>> check_number("redshift_lens", -1.0, above=0)
    Traceback (most recent call last):
    ...
    ValueError: redshift_lens must be a finite number above 0; got -1.0.
    """
    bounds = [
        f"{words} {bound:g}"
        for words, bound in (
            ("above", above),
            ("of at least", minimum),
            ("below", below),
            ("of at most", maximum),
        )
        if math.isfinite(bound)
    ]
    try:
        inside = math.isfinite(value) and above < value < below and minimum <= value <= maximum
    except TypeError:
        inside = False
    if not inside:
        wanted = " ".join(["a finite number", " and ".join(bounds)]).rstrip()
        raise ValueError(f"{name} must be {wanted}; got {value!r}.")


def check_interval(low_name: str, low: float, high_name: str, high: float, **bounds: float) -> None:
    """Raises ValueError unless both ends are within the bounds and `low` is not above `high`."""
    check_number(low_name, low, **bounds)
    check_number(high_name, high, **bounds)
    if low > high:
        raise ValueError(f"{low_name} must not be above {high_name}; got {low!r} and {high!r}.")


def check_range(name: str, value: object, **bounds: float) -> None:
    """Raises ValueError unless `value` is a pair (low, high) with low <= high, within bounds."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a pair (low, high); got {value!r}.")
    check_interval(f"{name}[0]", value[0], f"{name}[1]", value[1], **bounds)
