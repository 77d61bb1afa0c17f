"""One process at a time in a folder: a lock that says who holds it, and that a death releases.

The lock is a file, made so that only one process can make it, also on network file systems without
`flock`. Its holder touches it again and again. It is taken over where its holder's process has
died on this host, or where a holder on another host has not touched it for `LEASE_SECONDS`, by the
clock of the one who waits. All this is filelock's `SoftFileLease`; beside its file lies another
one that says who, with what, since when.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from lensnet import files
from lensnet.errors import RunError

__all__ = ["LEASE_SECONDS", "Hold", "hold"]

_log = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
"""How long a holder on another host may be silent: twice what NFS keeps a file's times for."""

# Enough for one that died on this host to be recognised, and its lock taken over.
_MOMENT = 1.0


@dataclass(frozen=True)
class Hold:
    """A folder that is held.

    Args:
        folder: the folder.
        lease: its lock.
    """

    folder: Path
    lease: SoftFileLease

    def check(self) -> None:
        """Checks that the folder is still held.

        Raises:
            RunError: somebody has taken the lock over, or removed it.
        """
        lost = self.lease.compromise is not None
        owner = None if lost else self.lease.owner
        if lost or owner is None or owner.token != self.lease.token:
            raise RunError(
                f"This process no longer holds {self.folder}: it was silent for more than "
                f"{LEASE_SECONDS:.0f} s and another one has come, or the folder or its lock was "
                "removed. Nothing more is written into it."
            )


@contextlib.contextmanager
def hold(
    folder: Path, command: str, *, wait: bool = False, at_once: bool = False
) -> Iterator[Hold]:
    """Holds a folder while the block runs; makes it if need be, and removes it if it stays empty.

    Args:
        folder: the folder.
        command: what is done, such as `"lensnet fit"`, for whoever comes meanwhile.
        wait: wait as long as another process holds the folder.
        at_once: do not wait to see whether one on another host is alive.

    Raises:
        RunError: another process holds the folder.
        OSError: the folder cannot be made or written.
    """
    with _made(folder):
        lease = SoftFileLease(folder / ".lock", lease_duration=LEASE_SECONDS, thread_local=False)
        _acquire(lease, folder, wait, at_once)
        try:
            with contextlib.suppress(OSError):  # it only informs
                files.write_json(_info_file(folder), _about(command))
            yield Hold(folder, lease)
        finally:
            if lease.is_lock_held_by_us:
                _info_file(folder).unlink(missing_ok=True)
            lease.release()


def _acquire(lease: SoftFileLease, folder: Path, wait: bool, at_once: bool) -> None:
    if _acquired(lease, folder, _MOMENT):
        return
    owner = lease.owner
    elsewhere = owner is not None and not _is_here(owner.hostname)
    if wait or (elsewhere and not at_once):
        _log.info(
            "Waiting for %s, in use%s%s.",
            folder,
            _holder(folder),
            "" if wait else f": up to {2 * LEASE_SECONDS:.0f} s, to see whether that is alive",
        )
        if _acquired(lease, folder, -1 if wait else 2 * LEASE_SECONDS):
            return
    raise RunError(
        f"{folder} is in use{_holder(folder)}. Wait until that has ended, or name another folder."
    )


def _acquired(lease: SoftFileLease, folder: Path, timeout: float) -> bool:
    while True:
        try:
            lease.acquire(timeout=timeout)
            return True
        except (Timeout, LeaseSettingsMismatch):
            return False
        except FileNotFoundError:
            # Who held it has failed, and has taken the empty folder away.
            folder.mkdir(parents=True, exist_ok=True)


def _is_here(hostname: str) -> bool:
    # filelock adds a mark to the host's name where processes are numbered apart, as in containers.
    return hostname.partition("?")[0] == socket.gethostname()


def _holder(folder: Path) -> str:
    """Words who holds a folder: ` by lensnet fit (ann, process 7 on host, since ...)`."""
    try:
        about = json.loads(_info_file(folder).read_text(encoding="utf-8"))
        return (
            f" by {about['command']} ({about['user']}, process {about['process']} on "
            f"{about['host']}, since {about['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _about(command: str) -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have users without names
        user = str(os.getuid())
    return {
        "command": command,
        "user": user,
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _info_file(folder: Path) -> Path:
    return folder / ".lock.json"


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes a folder and those above it, and removes at the end those of them that are empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
