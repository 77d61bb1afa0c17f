"""Links between pages lead to files and headings that there are, as the Markdown is read by itself.

On the site Sphinx checks them, and fails.
"""

import re

import pytest
from code_blocks import PAGES, ROOT
from markdown_it import MarkdownIt


def parse(path):
    return MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8"))


def links(path):
    """The relative links and images of a page."""
    inline = [child for token in parse(path) for child in token.children or []]
    found = [token.attrGet("href") or token.attrGet("src") for token in inline]
    return [link for link in found if link and not re.match(r"[a-z]+:", link)]


def anchors(path):
    """The headings of a page, as GitHub writes them into an address."""
    tokens = parse(path)
    titles = [
        tokens[index + 1].content
        for index, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(path):
    found = []
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert broken(path) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Two words\n\n[a](#two-words) [b](#three) [c](none.md) ![d](none.png)\n")
    assert broken(page) == ["#three", "none.md", "none.png"]
