"""What fills the templates of this package, with every text escaped and visible."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2

from lensnet.visible_text import visible

__all__ = ["page_environment"]


def page_environment() -> tuple[jinja2.Environment, dict[str, str]]:
    """Returns what fills the templates of this package, and these, by their file names."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    room = resources.files(__package__ or "lensnet.reporting")
    pages = {
        path.name: path.read_text("utf-8") for path in room.iterdir() if path.name.endswith(".html")
    }
    environment.loader = jinja2.DictLoader(pages)
    return environment, pages


def _finalize(value: Any) -> Any:
    return visible(value) if type(value) is str else value
