"""Preparing a data set once: under a lock, from the beginning, or not at all."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from lensnet import files
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.data.records.lens_config import LensConfig
from lensnet.data.records.manifest import is_complete
from lensnet.data.records.shards import pipeline_options
from lensnet.errors import ConfigurationError, LensnetError
from lensnet.locking import hold

__all__ = ["open_directory", "other_preparations", "prepared_directory"]

# Whole or, after a kill, in part and under a temporary name.
_RECORD_FILES = ("*-of-*", "*.csv", "*.json", "*.labels.txt", "*.pickle")


def prepared_directory(
    builder_class: type[LensDatasetBuilder],
    config: LensConfig,
    data_dir: Path,
    *,
    beam_options: Sequence[str] | None = None,
) -> Path:
    """Returns where the records of a data set lie, which is prepared when this returns.

    Records that are there and whole are kept. Whatever an interrupted preparation has left is
    removed, and preparation starts anew. Processes that ask for the same data set at the same time
    wait for the one that came first.

    Args:
        builder_class: the data set's builder.
        config: what to prepare, as `builder_class.configure` returns it.
        data_dir: where all prepared data lie.
        beam_options: flags of the Apache Beam pipeline that is to prepare, such as
            `["runner=FlinkRunner", "flink_master=..."]`, or [] for Beam on this machine; None for
            no Beam. Its workers must see `data_dir` and the source files under the same paths.

    Raises:
        DataError: the data cannot serve.
        ConfigurationError: nothing can be written to `data_dir`.
        LensnetError: the disk is full.
    """
    above = data_dir / builder_class.name / config.name
    directory = above / str(builder_class.VERSION)
    with _quiet():
        if not is_complete(directory):
            files.check_writable(
                above, "Set data.data_dir, or $LENSNET_DATA_DIR, to a directory of yours."
            )
            with (
                _translate_disk_errors(data_dir),
                hold(above, f"the preparation of {builder_class.name}", wait=True),
                _dataset_folder(above.parent),
            ):
                if not is_complete(directory):  # another process may have been faster
                    _remove_leftovers(above, directory)
                    _prepare(builder_class, config, data_dir, beam_options)
    return directory


def open_directory(directory: Path) -> tfds.core.DatasetBuilder:
    """Returns a builder of records that are there; it looks at nothing but their directory.

    Args:
        directory: as `prepared_directory` returns it.
    """
    with _quiet():
        return tfds.builder_from_directory(directory)


def _prepare(
    builder_class: type[LensDatasetBuilder],
    config: LensConfig,
    data_dir: Path,
    beam_options: Sequence[str] | None,
) -> None:
    options = None if beam_options is None else pipeline_options(beam_options)
    builder = builder_class(config=config, data_dir=data_dir)
    height, width, channels = builder.image_shape
    needed = sum(map(len, builder.examples.values())) * height * width * channels * 4
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        raise LensnetError(
            f"Preparing {builder.name} takes {needed / 1e6:.0f} MB, and the disk of {data_dir} "
            f"has {free / 1e6:.0f} MB left. Make room, or set data.data_dir to another disk."
        )
    # TFDS makes folders for downloads, of which there are none. Here they go with the leftovers.
    above = data_dir / builder_class.name / config.name
    with tempfile.TemporaryDirectory(prefix="incomplete.", dir=above) as nothing:
        builder.download_and_prepare(
            download_dir=nothing,
            download_config=tfds.download.DownloadConfig(beam_options=options),
        )


def other_preparations(directory: Path) -> tuple[int, int]:
    """Returns how many other preparations of a data set lie beside one, and their bytes.

    They are of other files, options or splits. Whether anybody needs them cannot be told here.

    Args:
        directory: where the records of the one lie: `<data_dir>/<data set>/<name>/<version>`.
    """
    own = directory.parent
    others = [
        folder
        for folder in own.parent.iterdir()
        if folder.is_dir() and folder != own and not folder.name.startswith(".")
    ]
    records = (path for folder in others for path in folder.rglob("*") if path.is_file())
    return len(others), sum(path.stat().st_size for path in records)


def _remove_leftovers(above: Path, directory: Path) -> None:
    """Removes what an interrupted preparation has left, while the lock is held."""
    for leftover in (directory, *above.glob("incomplete.*")):
        if leftover.is_symlink():
            raise ConfigurationError(
                f"{leftover} is a link where prepared records were to lie, and nothing is removed "
                "through a link. Remove it, or set data.data_dir."
            )
        if leftover.exists():
            _check_own(leftover)
            shutil.rmtree(leftover)


def _check_own(directory: Path) -> None:
    """Checks that a directory holds only what a preparation writes, before it is removed."""
    for path in directory.rglob("*"):
        name = path.name.lstrip(".")
        if path.is_dir() and not path.is_symlink():
            continue
        if not any(fnmatchcase(name, pattern) for pattern in _RECORD_FILES):
            raise ConfigurationError(
                f"{directory} holds {path.relative_to(directory)}, which lensnet has not written, "
                "in the place of prepared records. Move it elsewhere, or set data.data_dir."
            )


@contextlib.contextmanager
def _dataset_folder(folder: Path) -> Iterator[None]:
    """Shares a data set's folder with the preparations of its other variants.

    TFDS writes a file into its folder `.config`, first under another name; a process that dies
    there leaves that. Whoever comes when nobody else prepares removes it: the lock of one variant
    does not say that no other one is just writing it.
    """
    with open(folder / ".lock", "w") as file:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for leftover in (folder / ".config").glob("incomplete.*"):
                    leftover.unlink(missing_ok=True)
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _translate_disk_errors(data_dir: Path) -> Iterator[None]:
    """Turns the errors of a disk into words."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        number = getattr(error, "errno", None)
        words = str(error)
        if (
            number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            or isinstance(error, tf.errors.ResourceExhaustedError)
            or words.endswith("File too large")
        ):
            raise LensnetError(
                f"The disk of {data_dir} is full: nothing was prepared. Make room, or set "
                "data.data_dir to another disk."
            ) from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST) or (
            isinstance(error, tf.errors.PermissionDeniedError)
        ):
            raise ConfigurationError(
                f"Prepared data cannot be written to {data_dir} ({words}). Set data.data_dir, or "
                "$LENSNET_DATA_DIR, to a directory of yours."
            ) from error
        raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS and astropy from saying what is said better here, or in the quarantine."""

    def only_errors(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    absl = logging.getLogger("absl")
    absl.addFilter(only_errors)
    try:
        with without_astropy_warnings():
            yield
    finally:
        absl.removeFilter(only_errors)
