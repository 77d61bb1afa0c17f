"""The file of features: NumPy's .npz, or Parquet."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from lensnet import files
from lensnet.errors import ConfigurationError, RunError
from lensnet.output_files import check_file_output

__all__ = ["FeatureFile", "FeatureWriter", "check_feature_file"]

_MARK = "lensnet_features"


class FeatureWriter(Protocol):
    """Takes the rows of a file of features."""

    def write(self, columns: dict[str, Any], scores: np.ndarray, features: np.ndarray) -> None:
        """Adds rows.

        Args:
            columns: lists of text or arrays of numbers by name, the same names in every call.
            scores: (N, K).
            features: (N, D) float32.
        """


def check_feature_file(path: Path, *, overwrite: bool) -> None:
    """Checks, before any work, that a file of features can be written.

    Raises:
        ConfigurationError: it is to be of a kind that is not written, a package is missing for it,
            or nothing can be written there.
        RunError: it exists, and is not to be overwritten or is not one of lensnet's; or there is no
            folder to write into.
    """
    ending = path.suffix.lower()
    if ending not in (".npz", ".parquet"):
        raise ConfigurationError(
            f"Features are written as NumPy's .npz or as .parquet, and {path.name} ends with "
            f"neither. Name the output {path.stem}.npz."
        )
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError(
            "A Parquet file needs pyarrow, which is not installed: pip install "
            f"'lensnet[parquet]'. Or name the output {path.stem}.npz."
        )
    check_file_output(path, _check_own, overwrite=overwrite)


def _check_own(path: Path) -> None:
    if path.is_symlink() or not path.is_file() or not _is_own(path):
        raise RunError(
            f"{path} exists and is not a file of features that lensnet has written, so it is left "
            "alone. Name another file with -o."
        )


def _is_own(path: Path) -> bool:
    if path.stat().st_size == 0:
        return True
    if path.suffix.lower() == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                return f"{_MARK}.npy" in archive.namelist()
        except (OSError, zipfile.BadZipFile):
            return False
    parquet = importlib.import_module("pyarrow.parquet")
    try:
        return _MARK.encode() in (parquet.read_schema(path).metadata or {})
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class FeatureFile:
    """A file of features that is to be written.

    Args:
        path: ends with .npz or .parquet.
        score_names: what the columns of scores are.
        about: what is said beside the rows: the run, and what was embedded.
    """

    path: Path
    score_names: list[str]
    about: dict[str, str]

    @contextlib.contextmanager
    def writing(self) -> Iterator[FeatureWriter]:
        """Writes the file, whole or not at all; features never lie in memory all at once."""
        with files.replacing(self.path) as temporary:
            if self.path.suffix.lower() == ".npz":
                # On the same disk, which must have room for them anyway.
                with tempfile.TemporaryFile(dir=self.path.parent) as rows:
                    npz = _NpzWriter(rows)
                    yield npz
                    npz.save(temporary, self)
            else:
                parquet = _ParquetWriter(temporary, self)
                try:
                    yield parquet
                finally:
                    parquet.close()


class _NpzWriter:
    """Features go to a file as they come; what else is known of the images stays in memory."""

    def __init__(self, rows: IO[bytes]):
        self._rows = rows
        self._columns: dict[str, list[Any]] = {}
        self._scores: list[np.ndarray] = []
        self._shape = (0, 0)

    def write(self, columns: dict[str, Any], scores: np.ndarray, features: np.ndarray) -> None:
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        self._scores.append(np.asarray(scores, np.float32))
        self._rows.write(np.ascontiguousarray(features, np.float32).tobytes())
        self._shape = (self._shape[0] + len(features), features.shape[1])

    def save(self, path: Path, written: FeatureFile) -> None:
        self._rows.flush()
        if not self._shape[0]:
            return
        features = np.memmap(self._rows, np.float32, "r", shape=self._shape)
        arrays: dict[str, Any] = {name: np.array(of) for name, of in self._columns.items()}
        arrays["scores"] = np.concatenate(self._scores)
        arrays["score_names"] = np.array(written.score_names)
        arrays[_MARK] = np.array(json.dumps(written.about))
        # As numpy.savez writes it, which takes no array of the name "file".
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in {**arrays, "features": features}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)


class _ParquetWriter:
    """A row group a batch."""

    def __init__(self, path: Path, written: FeatureFile):
        self._path, self._written = path, written
        self._arrow: Any = importlib.import_module("pyarrow")
        self._parquet: Any = importlib.import_module("pyarrow.parquet")
        self._stream: Any = None

    def write(self, columns: dict[str, Any], scores: np.ndarray, features: np.ndarray) -> None:
        arrow = self._arrow
        arrays = {name: arrow.array(values) for name, values in columns.items()}
        for place, name in enumerate(self._written.score_names):
            arrays[name] = arrow.array(np.asarray(scores[:, place], np.float32))
        flat = arrow.array(np.ascontiguousarray(features, np.float32).reshape(-1))
        arrays["features"] = arrow.FixedSizeListArray.from_arrays(flat, features.shape[1])
        table = arrow.Table.from_arrays(list(arrays.values()), names=list(arrays))
        if self._stream is None:
            mark = {_MARK: json.dumps(self._written.about)}
            schema = table.schema.with_metadata(mark)
            self._stream = self._parquet.ParquetWriter(self._path, schema)
        self._stream.write_table(table.cast(self._stream.schema))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
