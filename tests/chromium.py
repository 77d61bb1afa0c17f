"""A headless Chromium, driven by its DevTools protocol over a pair of pipes; no package needed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["Chromium", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-extensions --remote-debugging-pipe"
).split()
_SECONDS = 60.0


def find_chromium() -> str | None:
    """Returns the path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """A browser process with one page; a context manager.

    Args:
        profile: the folder of what the browser remembers; None for one that is removed at the end.
    """

    def __init__(self, profile: Path | None = None):
        self._profile = profile

    def __enter__(self) -> Chromium:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        def as_the_protocol_wants() -> None:
            # Clear of each other first: either may be 3 or 4 already.
            given, taken = os.dup(to_read), os.dup(to_write)
            os.dup2(given, 3)
            os.dup2(taken, 4)

        self._process = subprocess.Popen(
            [
                find_chromium() or "chromium",
                *_FLAGS,
                f"--user-data-dir={self._profile or self._folder.name}",
            ],
            pass_fds=(3, 4),
            preexec_fn=as_the_protocol_wants,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._number, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._folder.cleanup()

    def do(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and returns its answer; what happens meanwhile goes to `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": arguments}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        number = self._number
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            ready = select.select([self._read], [], [], max(end - time.monotonic(), 0))[0]
            part = os.read(self._read, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError("Chromium does not answer.")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def open(self, page: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Opens a file at a width in CSS pixels, and waits until it is loaded."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.do("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression: str) -> Any:
        """Returns what JavaScript gives for an expression, and of a promise what it keeps."""
        found = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Presses keys of a keyboard one after the other, each as `KeyboardEvent.key` names it."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.do("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.do("Input.dispatchKeyEvent", type="keyUp", key=key)

    @property
    def requests(self) -> list[str]:
        """The addresses that the page has asked for, itself and what it holds left out."""
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in asked[1:] if not url.startswith("data:")]

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts, and what the browser logs of the page."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in kinds]

    def screenshot(self, path: Path) -> None:
        """Writes the whole page as it is seen."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        picture = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))

    def print_pages(self, path: Path) -> None:
        """Writes the page as it is printed."""
        printed = self.do("Page.printToPDF", preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(printed["data"]))
