"""Processes that answer a benchmark's requests, in another environment or apart from it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ProcessFailed", "Server", "answer_requests", "script"]

LAST_LINES = 15
"""How much of what a process wrote to standard error is shown when it ends."""


class ProcessFailed(RuntimeError):
    """A process ended, refused a request or took too long; the message holds its last lines."""


class Server:
    """A process that answers requests, one JSON line each.

    It is started by the first request. After one that it did not survive, or did not answer in
    time, the next request starts it anew, unless it has never answered: then it cannot run at all,
    and is not tried again.

    Args:
        name: what messages call it.
        command: the Python and its script.
        environment: variables besides those of this process.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ):
        self.name = name
        self.command = list(command)
        self.environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: Any = None
        self._unread = b""
        self._has_answered = False
        self._failure: str | None = None

    def ask(self, timeout_s: float | None = None, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Raises:
            ProcessFailed: no answer came, or an error.
        """
        self.send(**request)
        return self.receive(timeout_s)

    def send(self, **request: Any) -> None:
        """Sends a request; `receive` waits for its answer, so that several processes can work."""
        if self._failure is not None:
            raise ProcessFailed(self._failure)
        if self._process is None:
            self._start()
        assert self._process and self._process.stdin  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("ended") from None

    def receive(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Waits for the answer to the request sent last.

        Raises:
            ProcessFailed: no answer came, or an error.
        """
        answer = json.loads(self._line(timeout_s))
        self._has_answered = True
        if "error" in answer:
            raise ProcessFailed(f"{self.name}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        self._unread = b""
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=self.environment,
            )
        except OSError as error:
            self._failure = f"{self.name} cannot be started: {error}"
            raise ProcessFailed(self._failure) from None

    def _line(self, timeout_s: float | None) -> bytes:
        assert self._process and self._process.stdout  # noqa: S101
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                left = None if end is None else max(0.0, end - time.monotonic())
                if not selector.select(left):
                    raise self._failed(f"did not answer within {timeout_s:.0f} s")
                read = os.read(self._process.stdout.fileno(), 1 << 16)
                if not read:
                    raise self._failed("ended")
                self._unread += read
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def _failed(self, how: str) -> ProcessFailed:
        """Ends the process for good or until the next request, and says how it was."""
        assert self._process is not None  # noqa: S101
        late = self._process.poll() is None and how != "ended"
        if late:
            self._process.kill()
        code = self._process.wait()
        self._process = None
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        status = "" if late else f" with status {code}"
        shown = "".join(f"\n    {line}" for line in lines)
        message = f"the process of {self.name} {how}{status}; its last lines:{shown}"
        if not self._has_answered and not late:
            self._failure = f"the process of {self.name} cannot run (see above)"
        return ProcessFailed(message)


def answer_requests(answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Answers the requests on standard input until it ends; the other side of `Server`.

    Whatever else is printed goes to standard error. An exception is an answer too, and its
    traceback goes to standard error; the next request is answered all the same.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        try:
            found: Mapping[str, Any] = answer(json.loads(line))
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            words = f"{type(error).__name__}: {error}".splitlines()
            found = {"error": "\n    ".join(words[:LAST_LINES])}
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def script(name: str) -> str:
    """The path of a script in this folder."""
    return str(Path(__file__).parent / name)
