"""Where an export goes, and whether it may go there; imports no framework."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.errors import ConfigurationError, RunError
from lensnet.export.formats import FORMATS, export_name
from lensnet.overwriting import EXPORT, holds_working_directory

__all__ = ["check_target"]


def check_target(
    run_dir: str | Path,
    format: str,
    output: str | Path | None,
    *,
    quantize: str | None = None,
    overwrite: bool,
) -> Path:
    """Returns where an export goes, and checks that it may.

    Args:
        run_dir: the run folder.
        format: of the export.
        output: the folder to write. Default: `export/<format>` in the run folder, with the
            quantisation if there is one.
        quantize: of the export.
        overwrite: replace an export that is there.

    Raises:
        RunError: there is something, and it is not to be replaced, or is not an export.
        ConfigurationError: nothing can be written there, or it is called like a file.
    """
    name = export_name(format, quantize)
    target = Path(output) if output is not None else Path(run_dir) / "export" / name
    file = FORMATS[format].file
    if file is not None and target.suffix.lower() == Path(file).suffix:
        raise ConfigurationError(
            f"-o names the folder of an export, in which {file} lies beside lensnet.json. Name it "
            f"{target.with_suffix('')}."
        )
    files.check_writable(target.absolute().parent, "Name another place with -o.")
    if target.is_symlink() or target.exists():
        if not overwrite:
            raise RunError(
                f"{target} exists already. Replace an export by --overwrite, or name another -o."
            )
        if target.is_symlink() or not _is_empty(target) or holds_working_directory(target):
            EXPORT.check_removable(target)
    return target


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())
