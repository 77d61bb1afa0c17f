"""The site is built without a warning; its references are whole, and it loads nothing else."""

import importlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import click
import pytest
from code_blocks import ROOT

from lensnet import config, registry
from lensnet.config.ensemble import EnsembleFile
from lensnet.config.search.file import Search

pytest.importorskip("sphinx", reason="needs the extra `docs`")
pytest.importorskip("griffe", reason="needs the extra `docs`")

DOCS = ROOT / "docs"
# Builds, and says what was imported for it.
BUILD = """
import sys
from sphinx.cmd.build import main
code = main(sys.argv[1:])
assert not {"tensorflow", "keras"} & sys.modules.keys()
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def _extensions(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))


def extension(name):
    return importlib.import_module(name)


def build(source, output):
    command = [sys.executable, "-c", BUILD, "-q", "-W", "--keep-going", "-b", "html"]
    return subprocess.run([*command, source, output], capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    output = tmp_path_factory.mktemp("site")
    done = build(DOCS, output)
    assert done.returncode == 0, done.stderr
    return output


class Loaded(HTMLParser):
    """What a browser fetches to show a page, and the words on it."""

    def __init__(self):
        super().__init__()
        self.addresses = []
        self.words = ""

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(found.get("src") or "")
        if tag == "link":
            self.addresses.append(found.get("href") or "")

    def handle_data(self, data):
        self.words += data


def read(page):
    loaded = Loaded()
    loaded.feed(page.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.processes
def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    outside = re.compile(r"(https?:)?//")
    fetched = [one for page in pages for one in read(page).addresses if outside.match(one)]
    assert fetched == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"""(?:url\(|@import\s+)["']?https?:[^)]*""", styles) == []


@pytest.mark.processes
def test_every_key_is_in_the_reference(site):
    words = read(site / "reference" / "yaml.html").words
    schema = config.json_schema()
    for name, definition in {"": schema, **schema["$defs"]}.items():
        if name.startswith("Ensemble"):
            continue  # nobody writes it into an experiment
        for key, found in definition.get("properties", {}).items():
            assert key in words
            assert found.get("description", "").replace("`", "") in words


@pytest.mark.processes
def test_every_key_of_other_files_is_in_the_reference(site):
    words = read(site / "reference" / "other-files.html").words
    for model in (Search, EnsembleFile):
        assert [key for key in model.model_fields if key not in words] == []


@pytest.mark.processes
def test_every_command_is_in_the_reference(site):
    words = " ".join(read(site / "reference" / "commands.html").words.split())
    assert "Exit codes: 0 done" in words
    for command, context in extension("command_reference").every_command():
        assert context.command_path in words
        said = " ".join(command.help.partition("\n\n")[0].split())
        assert said.replace("`", "") in words.replace("`", "")
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert [name for one in options for name in one.opts if name not in words] == []


@pytest.mark.processes
def test_every_page_is_its_own(site):
    """None has the name of a page that Sphinx writes, such as search."""
    for page in (ROOT / "docs").rglob("*.md"):
        title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").replace("`", "")
        assert title in read((site / page.relative_to(DOCS)).with_suffix(".html")).words


@pytest.mark.processes
def test_every_public_name_is_in_the_reference(site):
    reference = extension("python_reference")
    for module in reference.public_modules():
        words = read(site / "reference" / "python" / f"{module}.html").words
        assert [name for name in reference.public_names(module) if name not in words] == []


@pytest.mark.processes
def test_a_broken_link_fails(tmp_path):
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(DOCS)!r})\nfrom conf import *\n"
    )
    (tmp_path / "index.md").write_text("# A page\n\n[a](none.md) [b](#nowhere)\n")
    done = build(tmp_path, tmp_path / "built")
    assert done.returncode != 0
    assert "none.md" in done.stderr
    assert "nowhere" in done.stderr


def test_every_key_says_what_it_is():
    keys = extension("yaml_reference").undescribed()
    # Other tests in this process may have registered a data set of theirs.
    assert [key for key in keys if not key.startswith("pattern_dataset/")] == []


@pytest.mark.processes
def test_what_is_generated_stands_where_the_page_has_it(site):
    words = read(site / "reference" / "yaml.html").words
    order = ["prints the same as", "Also the run folder's name", "What to learn from"]
    places = [words.index(text) for text in order]
    assert places == sorted(places)


def test_options_of_a_data_set_have_their_defaults():
    rows = extension("yaml_reference").dataset_options("lens_finding/simulated").splitlines()
    (row,) = [row for row in rows if row.startswith("| `examples_per_class`")]
    options = registry.datasets.get("lens_finding/simulated").options()
    assert row.split(" | ")[2] == f"`{options.examples_per_class}`"


def test_the_type_of_a_key_has_its_limits():
    rows = extension("yaml_reference").experiment_keys().splitlines()
    (row,) = [row for row in rows if row.startswith("| `batch_size`")]
    assert row.split(" | ")[1:3] == ["integer, at least 1", "`64`"]


def test_arguments_and_examples_of_a_docstring_are_shown_as_such():
    text = extension("python_reference").describe("lensnet.layers")
    assert "{py:class} GroupConv2D(filters, kernel_size, group, lifting=False, groups=1," in text
    assert "\n- `lifting`: whether the input is an image" in text
    assert "```pycon\n>>> import keras\n" in text
