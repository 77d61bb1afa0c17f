"""What the benchmarks write: rows as they are measured, and where and with what they were taken."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["Results", "Table", "environment", "print_table", "processor"]

VECTOR_EXTENSIONS = (
    "sse4_2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni avx512_bf16 avx512_fp16 "
    "avx_vnni amx_tile amx_int8 amx_bf16 asimd asimddp bf16 i8mm sve sve2"
).split()
"""The flags of a processor on which the speed of its kernels depends, as Linux names them."""


def environment(packages: Sequence[str], places: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Versions, device, settings and command.

    Args:
        packages: whose versions to give; those that are not installed are left out.
        places: what stands in the command for a path of this machine, by the path.
    """
    words = [(places or {}).get(word, word) for word in sys.argv]
    words[0] = f"benchmarks/{Path(words[0]).name}"
    versions = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "command": "python " + shlex.join(words),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "packages": versions,
        **processor(),
        "settings": {
            name: os.environ.get(name) for name in ("TF_ENABLE_ONEDNN_OPTS", "OMP_NUM_THREADS")
        },
    }


def processor() -> dict[str, Any]:
    """The processor, its vector extensions and how many cores this process may use."""
    values: dict[str, str] = {}
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as stream:
        for line in stream:
            key, _, value = line.partition(":")
            values[key.strip()] = value.strip()
    number = f"family {values.get('cpu family')}, model {values.get('model')}"
    name = values.get("model name")
    flags = set(values.get("flags", values.get("Features", "")).split())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": f"{name} ({number})" if name else platform.processor(),
        "vector_extensions": [flag for flag in VECTOR_EXTENSIONS if flag in flags],
        "cpu_count": os.cpu_count(),
        "usable_cpus": usable,
    }


class Results:
    """A benchmark's results, written anew after every row.

    Args:
        path: the JSON file.
        content: what stands in it before the rows: the environment, sizes.
    """

    def __init__(self, path: Path, content: Mapping[str, Any]):
        self.path = path
        self.content = dict(content)
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, section: str, row: Any) -> None:
        """Appends a row to a section and writes the file."""
        self.content.setdefault(section, []).append(row)
        self.write()

    def write(self) -> None:
        """Writes the file; a reader never sees half of it."""
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path)

    def close(self) -> None:
        """Writes the file, of no row too, and says where it is."""
        self.write()
        print(f"Written: {self.path}", flush=True)


class Table:
    """A table whose rows are printed as soon as they are there.

    Args:
        columns: header and width of each; what is wider moves its row's rest to the right.
    """

    def __init__(self, columns: Mapping[str, int]):
        self.columns = dict(columns)
        self._begun = False

    def add(self, *values: Any) -> None:
        """Prints a row, the header before the first."""
        if not self._begun:
            self._begun = True
            self._print(list(self.columns))
        self._print([_cell(value) for value in values])

    def _print(self, texts: list[str]) -> None:
        widths = [max(len(header), width) for header, width in self.columns.items()]
        line = "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True))
        print(line.rstrip(), flush=True)


def print_table(header: list[str], rows: list[list[Any]]) -> None:
    """Prints aligned columns."""
    cells = [header, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
