"""What a `.keras` file may hold: checked before Keras is imported, for files come from others."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from lensnet.errors import RunError

__all__ = ["check_expansion", "check_model_file"]

# A network of a thousand layers is described in a few megabytes.
_LARGEST_DESCRIPTION = 64 * 2**20
# Keras packs nothing; whoever does gains little on weights.
_MOST_EXPANSION = 100
# They run what the file holds, or what lies elsewhere.
_RUNS_CODE = {"Lambda": "a Lambda layer", "__lambda__": "a lambda", "TFSMLayer": "a TFSMLayer"}


def check_model_file(path: Path) -> None:
    """Checks that a file is a whole `.keras` file that runs no code and fits into memory.

    Keras refuses much of this by itself, after it has been imported.

    Raises:
        RunError: it is not.
    """
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise RunError(
            f"{path} is not a model file: a model is a whole .keras file, as `lensnet fit` "
            "writes it."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            check_expansion(archive)
            if archive.getinfo("config.json").file_size > _LARGEST_DESCRIPTION:
                raise ValueError("its description of the layers is too large")
            description = json.loads(archive.read("config.json"))
        code = _code_in(description)
        if code is not None:
            raise ValueError(f"it has {code}, which runs code of the file's own")
    except RecursionError:
        raise _not_read(path, "its description is nested too deeply") from None
    except KeyError:
        raise _not_read(path, "it does not describe the layers") from None
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        # A RuntimeError is zipfile's: an encrypted member, or a compression that it does not know.
        raise _not_read(path, str(error)) from None


def check_expansion(archive: zipfile.ZipFile) -> None:
    """Checks that an archive does not unpack into far more than it takes.

    Raises:
        ValueError: it does.
    """
    for member in archive.infolist():
        if member.file_size > _MOST_EXPANSION * max(member.compress_size, 1000):
            raise ValueError(f"{member.filename} unpacks to {member.file_size:,} bytes")


def _not_read(path: Path, reason: str) -> RunError:
    return RunError(f"{path} holds no model that can be read here: {reason}.")


def _code_in(value: Any) -> str | None:
    """Returns what in a model's description runs code of the file's own."""
    if isinstance(value, dict):
        name = value.get("class_name")
        if isinstance(name, str) and name in _RUNS_CODE:
            return _RUNS_CODE[name]
        value = list(value.values())
    if isinstance(value, list):
        return next(filter(None, map(_code_in, value)), None)
    return None
