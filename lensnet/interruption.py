"""Asking a process to stop: Ctrl-C, and SIGTERM, by which schedulers such as Slurm ask.

Wherever nothing is lost, both raise `KeyboardInterrupt`. Work that is only whole at certain points,
as a training is after a step, looks itself whether it was asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from lensnet.errors import LensnetError

__all__ = ["Interrupted", "Interruption", "listening"]


class Interrupted(LensnetError):
    """Work that was asked to stop and did, and can be gone on with. Exit code 1.

    Args:
        where: by what it was stopped, and where.
        resume: the command that goes on.
    """

    def __init__(self, where: str, resume: str):
        super().__init__(f"{where}; nothing is lost. Go on by `{resume}`.")
        self.where = where


class Interruption:
    """What this process was asked while it listens; see `listening`."""

    def __init__(self) -> None:
        self._is_deferred = False
        self._signal: signal.Signals | None = None
        self._process = os.getpid()

    @property
    def is_requested(self) -> bool:
        """Whether the process was asked to stop while that was deferred."""
        return self._signal is not None

    @property
    def words(self) -> str:
        """What asked: `Ctrl-C`, or the name of the signal."""
        if self._signal is None:
            return "another worker"
        return "Ctrl-C" if self._signal == signal.SIGINT else self._signal.name

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Lets the block look itself whether it was asked; a second Ctrl-C ends it at once."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal up, between two instructions of the main thread."""
        if os.getpid() != self._process:
            # A fork of this process, of which nobody looks.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if not self._is_deferred:
            raise KeyboardInterrupt
        if self._signal is None:
            self._signal = signal.Signals(number)
            _say("\nStopping after this step; Ctrl-C ends at once.\n")
        elif number == signal.SIGINT:
            raise KeyboardInterrupt


@contextlib.contextmanager
def listening() -> Iterator[Interruption]:
    """Takes up SIGINT and SIGTERM while the block runs, and gives them back to who had them.

    Python tells the main thread of signals, and lets no other one ask for them: in another thread
    nothing is changed, and nothing ever asked.
    """
    interruption = Interruption()
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # What is ignored, as SIGINT is by commands in the background of a script, stays so.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, interruption.handle)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(words: str) -> None:
    """Writes to standard error from within a signal, where nothing that buffers may be used."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.write(sys.__stderr__.fileno(), words.encode())  # type: ignore[union-attr]
