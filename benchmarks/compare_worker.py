"""One side of benchmarks/compare.py: measures the cells that it is asked for, one at a time."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import answer_requests
from reporting import environment

PACKAGES = ("lensnet", "tensorflow", "keras", "numpy", "numba", "tensorflow-datasets")


def make(request: dict[str, Any]) -> Callable[[], float]:
    """Gives what times the cell of a request once."""
    if request["suite"] == "data":
        import data_cells

        data_cells.use_cores()
        return data_cells.timer_of(
            request["cell"], Path(request["folder"]), Path(request["data_dir"])
        )
    import zoo_cells

    zoo_cells.forget()
    return importlib.import_module(f"{request['suite']}_cells").timer_of(request["cell"])


def main() -> None:
    """Answers requests until standard input ends."""
    made: dict[tuple[str, str], Callable[[], float]] = {}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if "suite" not in request:
            return {"packages": environment(PACKAGES)["packages"]}
        if "cell" not in request:
            cells = importlib.import_module(f"{request['suite']}_cells")
            return {"cells": list(getattr(cells, "CELLS", ()) or cells.CASES)}
        key = request["suite"], request["cell"]
        if key not in made:
            made.clear()
            made[key] = make(request)
        return {"seconds": made[key]()}

    answer_requests(answer)


if __name__ == "__main__":
    main()
