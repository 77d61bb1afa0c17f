"""The work folder beside an output: the plan, the parts that are done, and who works on them.

`scores.fits.parts/` holds `lensnet.json` (lensnet's mark, written first), the plan
(`rows-00000.parquet` ... and `plan.json`, written last), `scoring.json` (what is decided once for
all parts), a file for each shard that has begun, and `scores-00000.parquet` ..., each of which
takes its name when it is whole. The folder is removed once the output has its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.errors import RunError
from lensnet.locking import Hold, hold
from lensnet.overwriting import MARK, FolderKind
from lensnet.prediction.scoring.shards import Shard

__all__ = ["WORK", "WorkFolder", "not_begun"]

WORK = FolderKind(
    "scoring",
    "a work folder of lensnet predict",
    (
        MARK,
        "plan.json",
        "scoring.json",
        "shard-*.json",
        "rows-*.parquet",
        "buckets/bucket-*.arrow",
        "scores-*.parquet",
        "ordered-*.arrow",
    ),
    "-o",
    within=("working-*",),
)

_PART = re.compile(r"scores-(\d{5,})\.parquet")
_SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.json")


@dataclass(frozen=True)
class WorkFolder:
    """A work folder, whether it is there or not.

    Args:
        path: the folder.
        output: the file that its parts become.
    """

    path: Path
    output: Path

    @classmethod
    def of(cls, output: Path) -> WorkFolder:
        """Returns the work folder of an output.

        >>> WorkFolder.of(Path("survey/scores.fits")).path.as_posix()
        'survey/scores.fits.parts'
        """
        return cls(output.with_name(f"{output.name}.parts"), output)

    @property
    def is_begun(self) -> bool:
        """Whether an earlier process has worked here."""
        return WORK.holds_something(self.path)

    @property
    def is_planned(self) -> bool:
        """Whether the plan is whole."""
        return (self.path / "plan.json").is_file()

    def check_own(self) -> None:
        """Checks that the folder is lensnet's, or free to be made.

        Raises:
            RunError: something else bears the name.
        """
        if self.path.is_symlink() or self.path.exists():
            if self.path.is_dir() and not self.path.is_symlink() and not self.is_begun:
                return
            WORK.check_removable(self.path)

    @contextlib.contextmanager
    def held(self, command: str, *, wait: bool = False) -> Iterator[Hold]:
        """Holds the folder against other processes while the block runs; an empty one is removed.

        Args:
            command: what is done, for whoever comes meanwhile.
            wait: wait as long as another process holds it.

        Raises:
            RunError: another process, or one that works on a shard, holds it.
        """
        try:
            with hold(self.path, command, wait=wait) as held:
                yield held
        finally:
            with contextlib.suppress(OSError):  # there is something in it
                self.path.rmdir()

    @contextlib.contextmanager
    def held_for(self, shard: Shard) -> Iterator[Hold]:
        """Holds a shard's share of the folder while the block runs.

        Raises:
            RunError: another process works on the same shard.
        """
        folder = self.path / f"working-{shard.number:05d}-of-{shard.of:05d}"
        with hold(folder, f"lensnet predict --shard {shard}") as held:
            yield held

    def check_no_shard_works(self) -> None:
        """Checks that no process works on a shard at this moment.

        Raises:
            RunError: one does.
        """
        for folder in sorted(self.path.glob("working-*")):
            with hold(folder, "a check"):
                pass

    def begin(self) -> None:
        """Makes the folder, without anything of an earlier beginning, and marks it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if WORK.is_marked(self.path):
            WORK.empty(self.path)
        WORK.write_mark(self.path, output=self.output.name)

    def part(self, number: int) -> Path:
        """Returns where the scores of a partition lie."""
        return self.path / f"scores-{number:05d}.parquet"

    def done(self) -> set[int]:
        """Returns the numbers of the partitions that are scored."""
        found = (_PART.fullmatch(name) for name in os.listdir(self.path))
        return {int(match[1]) for match in found if match}

    def note_shard(self, shard: Shard) -> None:
        """Writes down that a shard has begun, for whoever merges."""
        name = f"shard-{shard.number:05d}-of-{shard.of:05d}.json"
        files.write_json(self.path / name, {"shard": str(shard)})

    def shards(self) -> list[Shard]:
        """Returns the shards that have begun."""
        found = (_SHARD.fullmatch(name) for name in os.listdir(self.path))
        return sorted(Shard(int(match[1]), int(match[2])) for match in found if match)

    def settle(self, decided: dict[str, Any]) -> dict[str, Any]:
        """Returns what was decided first for all parts: this, or what another has written before.

        Args:
            decided: plain values.
        """
        path = self.path / "scoring.json"
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                _create(path, json.dumps(decided))
        settled: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return settled

    def settled(self) -> dict[str, Any]:
        """Returns what was decided for all parts; {} before that."""
        with contextlib.suppress(OSError, ValueError):
            settled = json.loads((self.path / "scoring.json").read_text(encoding="utf-8"))
            return settled if isinstance(settled, dict) else {}
        return {}

    def remove(self) -> None:
        """Removes the folder, but for what lensnet has not written."""
        for folder in self.path.glob("working-*"):
            shutil.rmtree(folder, ignore_errors=True)
        WORK.empty(self.path)

    def missing(self, count: int) -> Sequence[int]:
        """Returns the numbers of the partitions that are still to be scored.

        Args:
            count: how many partitions there are.
        """
        done = self.done()
        return [number for number in range(count) if number not in done]


def _create(path: Path, text: str) -> None:
    """Writes a file that is not there yet, whole; of several who try only the first does.

    Raises:
        FileExistsError: another was first.
    """
    temporary = path.with_name(f".{path.stem}.{os.urandom(4).hex()}{path.suffix}")
    temporary.write_text(text, encoding="utf-8")
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            os.replace(temporary, path)
            return
    finally:
        temporary.unlink(missing_ok=True)


def not_begun(output: Path) -> RunError:
    """Returns the error that there is nothing to merge."""
    return RunError(
        f"There is no work folder {WorkFolder.of(output).path} to merge: no shard of "
        f"`lensnet predict ... -o {output} --shard` has begun, or {output.name} is whole already."
    )
