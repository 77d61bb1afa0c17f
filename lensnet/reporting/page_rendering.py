"""What fills the templates of pages, with every text escaped and visible."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import jinja2

from lensnet.reporting.metric_guide import whole
from lensnet.visible_text import visible

__all__ = ["cell", "render_page"]

_SHARED = "lensnet.reporting"


def render_page(template: str, package: str = _SHARED, **content: Any) -> str:
    """Returns a page of lensnet: one HTML file that loads nothing, and runs nothing of others.

    Args:
        template: the file name of what fills `page.html`, which asks for `title` and `chips`.
        package: where it lies, if not here.
        **content: what it asks for.
    """
    from lensnet import __version__

    pages = dict(_templates(_SHARED)) | dict(_templates(package))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        loader=jinja2.DictLoader(pages),
    )
    environment.filters["cell"] = cell
    page = environment.get_template(template)
    return page.render(style=pages["style.html"], version=__version__, **content)


def cell(value: Any) -> str:
    """Returns a value as a table shows it.

    >>> cell(12000), cell(1.23456e-12), cell(0.0), cell(None), cell("lens")
    ('12\\u202f000', '1.235e-12', '0', '–', 'lens')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return whole(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _templates(package: str) -> Iterator[tuple[str, str]]:
    for path in resources.files(package).iterdir():
        if path.name.endswith(".html"):
            yield path.name, path.read_text("utf-8")


def _finalize(value: Any) -> Any:
    return visible(value) if type(value) is str else value
