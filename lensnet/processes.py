"""Starting processes of our own without running the user's script again."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing import spawn

__all__ = ["end_with_parent", "main_module_left_alone"]

_starting = threading.Lock()


@contextlib.contextmanager
def main_module_left_alone() -> Iterator[None]:
    """Keeps the processes that this thread starts from importing the main module.

    A process that is not a fork imports the main module, in case that what it is to do stands
    there: a script without `if __name__ == "__main__":` runs once more in each of them. What
    lensnet's processes do stands in lensnet, so that a script need not be written to be imported.
    """
    with _starting:
        preparation_data, thread = spawn.get_preparation_data, threading.get_ident()

        def without_main(name: str) -> dict[str, object]:
            found = preparation_data(name)
            if threading.get_ident() != thread:  # somebody else starts a process of theirs
                return found
            return {key: value for key, value in found.items() if not key.startswith("init_main")}

        spawn.get_preparation_data = without_main
        try:
            yield
        finally:
            spawn.get_preparation_data = preparation_data


def end_with_parent() -> None:
    """Makes this process end when the one that started it does, even if that is killed.

    An idle process of a pool waits for work from a pipe whose other end it holds too: without
    this it would wait for ever.
    """

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _forget_lock() -> None:
    """What a fork of this process does: nobody in it is starting processes."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
