"""TensorFlow's kernels of oneDNN, also on processors where TensorFlow leaves them off.

TensorFlow decides when it is imported: on x86 it takes oneDNN's convolutions and matrix products
where the processor has instructions for neural networks (`avx512_vnni`, `avx_vnni` or newer), and
its older kernels elsewhere, unless the environment variable `TF_ENABLE_ONEDNN_OPTS` says
otherwise. What lensnet's networks are made of is faster with oneDNN on those other processors, too
(`benchmarks/onednn.py`).
"""

from __future__ import annotations

import logging
import os
import platform
import sys

__all__ = ["VARIABLE", "enable_onednn", "is_default", "vector_extensions"]

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"

_VECTOR_EXTENSIONS = (
    "sse4_2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni avx512_bf16 avx512_fp16 "
    "avx_vnni amx_tile amx_int8 amx_bf16 asimd asimddp bf16 i8mm sve sve2"
).split()
_FOR_NEURAL_NETWORKS = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile"}

_log = logging.getLogger(__name__)


def enable_onednn() -> None:
    """Turns oneDNN on, unless the user has said what he wants, or TensorFlow is running already.

    In that last case, and where it makes a difference, one line says what to do. Processes that
    this one starts inherit the setting.
    """
    if VARIABLE in os.environ or platform.machine().lower() not in ("x86_64", "amd64"):
        return
    if sys.modules.get("tensorflow") is None:
        os.environ[VARIABLE] = "1"
    elif is_default(vector_extensions()) is False:
        _log.warning(
            "TensorFlow was imported before lensnet, and on this processor it computes more slowly "
            "than it could. Import lensnet first, or set %s=1.",
            VARIABLE,
        )


def vector_extensions() -> list[str] | None:
    """The processor's flags on which the speed of kernels depends, by Linux's names.

    None where the system does not tell them.
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() in ("flags", "Features"):
                    flags = set(value.split())
                    return [name for name in _VECTOR_EXTENSIONS if name in flags]
    except OSError:
        pass
    return None


def is_default(extensions: list[str] | None) -> bool | None:
    """Whether TensorFlow takes oneDNN by itself on an x86 processor; None if nothing is known.

    >>> is_default(["sse4_2", "avx", "avx2", "fma"])
    False
    >>> is_default(["avx2", "avx512f", "avx512_vnni"])
    True
    """
    return None if extensions is None else bool(_FOR_NEURAL_NETWORKS & set(extensions))
