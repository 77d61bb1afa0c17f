"""The output that parts become, in the order of the input, with a part in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lensnet.data.table_writing import TableContent, write_table_file
from lensnet.errors import RunError
from lensnet.prediction.scoring.ordering import ROW, ordered_pieces
from lensnet.prediction.scoring.part_table import CARRIED, PartCounts, read_counts
from lensnet.prediction.scoring.work_folder import WorkFolder

__all__ = ["check_all_there", "count_parts", "merge_parts", "output_schema"]

# What is left out where no row has it.
_WHERE_KNOWN = ("tile", "ra", "dec")

_WORDS = {
    "ra": ("deg", "right ascension"),
    "dec": ("deg", "declination"),
    "uncertainty": (None, "standard deviation of the score or prediction"),
    "filled_pixels": ("pix", "pixels that were gaps and have been filled"),
    "status": (None, "ok, or why there is no score"),
}

_SHOWN = 8


def check_all_there(work: WorkFolder, partitions: int) -> None:
    """Checks that every partition is scored.

    Args:
        work: the folder.
        partitions: how many there are.

    Raises:
        RunError: some are missing; it says of which shards, where there were shards.
    """
    missing = work.missing(partitions)
    if not missing:
        return
    shards = work.shards()
    sizes = {shard.of for shard in shards}
    if len(sizes) == 1:
        of = sizes.pop()
        late = sorted({number % of + 1 for number in missing})
        begun = {shard.number for shard in shards}
        words = ", ".join(f"{n}/{of}{'' if n in begun else ' (not begun)'}" for n in late)
        raise RunError(
            f"{len(missing)} of {partitions} partitions are not scored yet: those of shard "
            f"{words}. Wait for them, or start them again by the same command, and merge then."
        )
    some = ", ".join(map(str, missing[:_SHOWN])) + (" ..." if len(missing) > _SHOWN else "")
    raise RunError(
        f"{len(missing)} of {partitions} partitions are not scored yet: {some}. Go on by the "
        "command that was stopped, with --resume."
    )


def count_parts(work: WorkFolder, partitions: int) -> PartCounts:
    """Returns what was counted of all parts together."""
    return sum((read_counts(work.part(number)) for number in range(partitions)), PartCounts())


def merge_parts(work: WorkFolder, partitions: int, output: Path, about: dict[str, str]) -> None:
    """Writes the output, whole or not at all.

    Args:
        work: the folder; all its parts are there.
        partitions: how many there are.
        output: the table.
        about: what is said of the whole table.

    Raises:
        DataError: the format cannot hold a value.
    """
    parts = [work.part(number) for number in range(partitions)]
    unknown = [ROW, *_unknown_everywhere(parts)]
    schema = output_schema(pq.read_schema(parts[0]), unknown)
    names = [name for name in pq.read_schema(parts[0]).names if name not in unknown]
    with ordered_pieces(parts, names, work.path) as tables:

        def pieces() -> Iterator[pa.Table]:
            return (table.rename_columns(schema.names).cast(schema) for table in tables())

        write_table_file(output, TableContent(schema, _rows(parts), pieces, about))


def output_schema(part: pa.Schema, unknown: Sequence[str] = ()) -> pa.Schema:
    """Returns the columns of the output, of those of a part.

    Carried columns get their own names, and the suffix `_input` where another has it: in whatever
    case, for FITS tells no `RA` from an `ra`.

    Args:
        part: the schema of a part.
        unknown: the columns that are left out.

    Example:

    >>> part = [("id", pa.string()), ("ra", pa.float64()), ("input_RA", pa.float64())]
    >>> output_schema(pa.schema(part)).names
    ['id', 'ra', 'RA_input']
    """
    kept = [one for one in part if one.name not in unknown]
    own = {one.name.casefold() for one in kept if not one.name.startswith(CARRIED)}
    taken, fields = set(own), []
    for one in kept:
        if not one.name.startswith(CARRIED):
            unit, words = _WORDS.get(one.name, (None, None))
            known = {"unit": unit, "description": words}
            fields.append(one.with_metadata({k: v for k, v in known.items() if v}))
            continue
        name = one.name.removeprefix(CARRIED)
        while name.casefold() in taken:
            name += "_input"
        taken.add(name.casefold())
        fields.append(one.with_name(name))
    return pa.schema(fields)


def _unknown_everywhere(parts: Sequence[Path]) -> list[str]:
    unknown = set(_WHERE_KNOWN)
    for part in parts:
        if not unknown:
            break
        table = pq.read_table(part, columns=sorted(unknown))
        unknown -= {
            name for name in table.column_names if table.column(name).null_count < len(table)
        }
    return sorted(unknown)


def _rows(parts: Sequence[Path]) -> int:
    return sum(pq.read_metadata(part).num_rows for part in parts)
