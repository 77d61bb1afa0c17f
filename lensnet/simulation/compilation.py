"""How the kernels of this package are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": {"contract"}}

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Compiles a kernel with numba on its first call, and keeps the machine code if it can.

    numba stores compiled code beside the source, else in the user's cache directory. Where it may
    write to neither (a read-only image with no home) it refuses to decorate at all; then the
    kernel is compiled anew in each process, which takes seconds but works.

    Division by zero gives infinities, as in NumPy: testing each divisor would keep the loops over
    pixels from being vectorised. A product and a sum may be fused into one operation; nothing else
    is reordered.
    """
    try:
        return numba.njit(cache=True, **_OPTIONS)(kernel)
    except RuntimeError:
        return numba.njit(**_OPTIONS)(kernel)
