"""The pages of the data sets: `data-set NAME` in a page, NAME being a folder in `datasets/`.

A page is the folder's README and what `data.options` takes. Links to such a README, which lead to
the file where the Markdown is read by itself, lead to its page on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from generated_markdown import add_generator, code
from sphinx.application import Sphinx
from yaml_reference import dataset_options

from lensnet import registry

__all__ = ["describe", "setup", "with_links_to_pages"]

_DATASETS = Path(__file__).parents[2] / "datasets"
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")


def with_links_to_pages(text: str, source: str, page: str) -> str:
    """Returns Markdown with its relative links mended.

    Args:
        text: the Markdown.
        source: the file that it is from, from the repository's root on; its links start there.
        page: the page on which it stands, from `docs/` on.
    """

    def mend(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        readme = re.fullmatch(r"datasets/(\w+)/README\.md", path)
        target = f"docs/reference/datasets/{readme[1]}.md" if readme else path
        return posixpath.relpath(target, posixpath.dirname(f"docs/{page}"))

    return _LINK.sub(mend, text)


def describe(folder: str) -> str:
    """Returns the page of a folder of `datasets/` as Markdown."""
    readme = (_DATASETS / folder / "README.md").read_text(encoding="utf-8")
    lines = [
        with_links_to_pages(readme, f"datasets/{folder}/README.md", f"reference/datasets/{folder}")
    ]
    names = [name for name in registry.datasets.names() if name.split("/")[0] == folder]
    written = {name: dataset_options(name) for name in names}
    for options in dict.fromkeys(written.values()):
        same = ", ".join(code(name) for name in names if written[name] == options)
        lines += ["", f"## `data.options` of {same}", "", options]
    return "\n".join(lines)


def _mend_links(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = with_links_to_pages(source[0], f"docs/{name}.md", name)


def setup(app: Sphinx) -> dict[str, bool]:
    add_generator(app, "data-set", describe)
    app.connect("source-read", _mend_links)
    return {"parallel_read_safe": True}
