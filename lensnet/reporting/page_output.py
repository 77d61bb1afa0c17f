"""Writing a page whole or not at all, and only over a page that lensnet has written."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.errors import ConfigurationError
from lensnet.output_files import check_page

__all__ = ["check_page_output", "replace_page", "write_page"]


def check_page_output(path: Path) -> None:
    """Checks, before any work, that a page can be written.

    Raises:
        ConfigurationError: the name does not end with .html, or nothing can be written there.
        RunError: something else than a page of lensnet's bears the name.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"{path}: a page is an HTML file; name one that ends with .html.")
    check_page(path)
    files.check_writable(path.parent, "Name another file with -o.")


def write_page(page: str, path: Path) -> Path:
    """Writes a page, and returns its path.

    Args:
        page: the HTML.
        path: the file; its folder is made if need be.
    """
    check_page_output(path)
    return replace_page(page, path)


def replace_page(page: str, path: Path) -> Path:
    """Writes a page over whatever bears the name, and returns its path.

    Args:
        page: the HTML.
        path: the file; its folder is made if need be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as part:
        # Half a surrogate pair, as broken file names have, has no place in UTF-8.
        part.write_bytes(page.encode("utf-8", errors="replace"))
    return path
