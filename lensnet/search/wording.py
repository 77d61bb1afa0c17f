"""How keys and values of a search are shown: short, and still distinct."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["short_names", "short_values", "value_as_text"]


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns for each dotted key the fewest of its last parts that no other key ends in.

    Example:

    >>> short_names(["training.optimizer.name", "model.head.units.0", "training.epochs"])
    {'training.optimizer.name': 'optimizer.name', 'model.head.units.0': 'units.0', \
'training.epochs': 'epochs'}
    """
    keys = list(keys)
    short = {}
    for key in keys:
        parts = key.split(".")
        # A name, a length or a number says nothing without what it is of.
        fewest = 2 if parts[-1] in ("name", "length") or parts[-1].isdigit() else 1
        for count in range(min(fewest, len(parts)), len(parts) + 1):
            short[key] = ".".join(parts[-count:])
            if not any(other != key and f".{other}".endswith(f".{short[key]}") for other in keys):
                break
    return short


def short_values(values: Mapping[str, Any]) -> str:
    """Words the values of a trial in one line.

    Example:

    >>> short_values({"training.batch_size": 32, "model.head.units": [64, 32]})
    'batch_size 32, units [64, 32]'
    """
    names = short_names(values)
    return ", ".join(f"{names[key]} {value_as_text(value)}" for key, value in values.items())


def value_as_text(value: Any) -> str:
    """Words a value.

    Example:

    >>> value_as_text("c4"), value_as_text(0.001), value_as_text({"name": "sgd"})
    ('c4', '0.001', '{"name": "sgd"}')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)
