"""A short name for exactly these files, options and splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

__all__ = ["fingerprint"]


def fingerprint(settings: Any, lines: Iterable[str]) -> str:
    """Returns 16 hexadecimal digits that change with whatever they are made of.

    Prepared records lie in a folder of this name, so that a changed file or option is prepared
    anew and an unchanged one never is.

    Args:
        settings: plain values: options, splits, versions.
        lines: what identifies the source, such as a line for each file.

    >>> fingerprint({"seed": 0}, ["a.npy 100"]) == fingerprint({"seed": 0}, ["a.npy 101"])
    False
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for line in lines:
        digest.update(b"\n" + line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
