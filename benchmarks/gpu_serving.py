"""What the processes of benchmarks/gpu.py have in common: one thing made, and timed when asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from processes import answer_requests

__all__ = ["Made", "serve"]

Made = tuple[Callable[[int], Any], dict[str, Any]]
"""What runs so many calls and returns when the device has done them, and what is known of it."""


def serve(
    makers: dict[str, Callable[[dict[str, Any]], Made]],
    describe: Callable[[], dict[str, Any]],
    forget: Callable[[], None],
) -> None:
    """Answers requests until standard input ends.

    `do` is "describe", "forget", "make" (with `part`, of the makers, and what that takes) or "time"
    (with `seconds`: about how long to measure). The first calls, with all that is compiled in them,
    are part of making.

    Args:
        makers: by part.
        describe: versions and device.
        forget: lets go of what was made.
    """
    made: list[Made] = []
    calls: list[int] = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "describe":
            return describe()
        if request["do"] == "time":
            run = made[0][0]
            if not calls:
                start = time.perf_counter()
                run(2)
                once = (time.perf_counter() - start) / 2
                calls.append(max(1, min(1000, round(request["seconds"] / once))))
            start = time.perf_counter()
            run(calls[0])
            return {"seconds": (time.perf_counter() - start) / calls[0]}
        made.clear()
        calls.clear()
        forget()
        if request["do"] == "forget":
            return {}
        start = time.perf_counter()
        made.append(makers[request["part"]](request))
        made[0][0](1)
        return {**made[0][1], "seconds_to_make": round(time.perf_counter() - start, 1)}

    answer_requests(answer)
