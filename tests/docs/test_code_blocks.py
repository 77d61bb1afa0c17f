"""Every block of code of the README, the documentation and the data sets is right as it stands.

Commands are read by the parser of the command line, YAML by what reads such files; Python is run in
`test_python_blocks.py`.
"""

import configparser
import importlib.util
import itertools
import subprocess

import click
import pytest
import yaml
from code_blocks import PAGES, ROOT, Block, blocks, shell_commands

from lensnet import config, registry
from lensnet.cli.main import cli
from lensnet.config.loading import load_ensemble_file
from lensnet.config.search import load_search
from lensnet.errors import LensnetError

SIMULATED = {"dataset": "lens_finding/simulated"}
# What a shell brings with it, and tools whose work is their own.
SHELL = {"set", "source", "export", "exec", "cd", "mkdir", "for"}
TOOLS = {"pre-commit"}
# Those that start another command.
STARTERS = {"srun", "exec"}


def ids(block):
    return block.place


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where files that blocks name are: the experiments of other blocks."""
    for name in ("recipe", "my-lenses", "a", "b"):
        content = {"name": name, "task": "binary", "data": SIMULATED}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**content, "model": BACKBONE}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


BACKBONE = {"backbone": "resnet18"}


def test_there_are_many():
    assert len(blocks()) > 80
    assert len(PAGES) > 20


def test_every_block_is_of_a_kind_that_is_checked_or_says_why_not():
    unchecked = [
        f"{block}: {block.language or 'no language'}"
        for block in blocks()
        if block.language not in ("bash", "yaml", "python", "text") and not block.reason
    ]
    assert unchecked == []


# --- YAML -----------------------------------------------------------------------------------------


def check_yaml(text, folder):
    """Reads a block as the file, or the part of one, that it is."""
    content = yaml.safe_load(text)
    path = folder / "block.yaml"
    path.write_text(text)
    if "parameters" in content:
        load_search(path)
    elif "experiments" in content or "runs" in content:
        load_ensemble_file(path)
    elif {"name", "task", "data", "model"} <= content.keys():
        config.load(path, check_source=False)
    else:
        check_part(content, path)


def check_part(content, path):
    """Reads some sections of an experiment, the others as they may be; any task may fit."""
    if "base" in content:
        path.write_text(yaml.safe_dump(content))
        config.load(path)
        return
    tasks = [content["task"]] if "task" in content else registry.tasks.names()
    for task in tasks:
        whole = {"name": "page", "data": SIMULATED, "model": BACKBONE, **content, "task": task}
        path.write_text(yaml.safe_dump(whole))
        try:
            config.load(path, check_source=False)
            return
        except LensnetError as error:
            refused = error
    raise refused


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if not one.reason], ids=ids)
def test_yaml_is_read(block, folder):
    check_yaml(block.text, folder)


@pytest.mark.parametrize(
    "text",
    [
        "data: {dataset: image_folder, source_dirs: x}",
        "training: {epoch: 5}",
        "model: {backbone: resnet19}",
        "base: none.yaml\nname: x",
        "{name: x, experiment: a.yaml, objective: val_auc, parameters: {training.epoch: [1]}}",
    ],
)
def test_yaml_with_a_mistake_is_refused(text, folder):
    with pytest.raises(LensnetError):
        check_yaml(text, folder)


# --- commands -------------------------------------------------------------------------------------


def check_lensnet(arguments):
    """Has the command line's own parser read arguments, without running anything."""
    name, *rest = arguments
    context = click.Context(cli, info_name="lensnet")
    command = cli.resolve_command(context, [name])[1]
    command.make_context(name, list(rest), parent=context)
    for path in [word for word in rest if word.startswith("experiments/")]:
        assert (ROOT / path).is_file(), f"There is no {path}."
    for key in [word.partition("=")[0] for flag, word in pairs(rest) if flag == "--set"]:
        assert key == "base" or is_key(key), f"There is no key {key}."


def pairs(words):
    return itertools.pairwise(words)


def is_key(dotted):
    """Whether an experiment has a key; of variants, whether one of them has."""
    schema = config.json_schema()
    here = [schema]
    for name in dotted.split("."):
        here = [one for found in here for one in inner(schema, found["properties"].get(name))]
    return bool(here)


def inner(schema, found):
    """The sections that a key may hold, or itself."""
    if not found:
        return []
    if "$ref" in found:
        found = schema["$defs"][found["$ref"].rpartition("/")[2]]
    parts = [*found.get("anyOf", []), *found.get("oneOf", [])]
    sections = [one for part in parts for one in inner(schema, part) if "properties" in one]
    return sections or [{"properties": {}, **found}]


def extras():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser["options.extras_require"]


def check_command(words):
    """Checks one command; of those that are not lensnet's, whether it is there."""
    if "lensnet" in words and (words[0] == "lensnet" or words[0] in STARTERS):
        check_lensnet(words[words.index("lensnet") + 1 :])
    elif words[0] == "pip":
        named = [word.partition("[")[2].rstrip("]") for word in words if "[" in word]
        assert all(name in extras() for name in named), f"There is no extra {named}."
    elif words[0] == "python" and words[1] == "-m":
        # A module of an extra that is not installed here is named by that extra.
        of_an_extra = any(words[2] in needed for needed in extras().values())
        known = of_an_extra or importlib.util.find_spec(words[2])
        assert known, f"There is no module {words[2]}."
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file(), f"There is no {words[1]}."
    else:
        assert words[0] in SHELL | TOOLS, f"{words[0]} is not run: say why above the block."


@pytest.mark.parametrize("block", [one for one in blocks("bash") if not one.reason], ids=ids)
def test_commands_are_ones_that_there_are(block):
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for words in shell_commands(block.text):
        check_command(words)


@pytest.mark.parametrize(
    "text",
    [
        "lensnet fit x.yaml --overwrit",
        "lensnet export runs/x --format tflite",
        "lensnet measure runs/x",
        "lensnet predict",
        "lensnet fit x.yaml --set training.epoch=3",
        "lensnet fit experiments/none.yaml",
        "srun lensnet fit x.yaml --none",
        "pip install 'lensnet[none]'",
        "python benchmarks/none.py",
        "docker run x",
    ],
)
def test_a_command_with_a_mistake_is_refused(text):
    with pytest.raises((AssertionError, click.ClickException)):
        for words in shell_commands(text):
            check_command(words)


def command_examples():
    """The examples in the help of each command, as blocks of a script."""
    for name in cli.list_commands(click.Context(cli)):
        lines = (cli.get_command(click.Context(cli), name).help or "").splitlines()
        shown = [line.strip() for line in lines if line.startswith("    lensnet ")]
        yield Block(f"lensnet {name} --help", "bash", "\n".join(shown), None)


@pytest.mark.parametrize("block", list(command_examples()), ids=ids)
def test_examples_in_help_are_right(block):
    for words in shell_commands(block.text):
        check_command(words)


# --- Python ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("python"), ids=ids)
def test_python_is_python(block):
    compile(block.text, block.place, "exec")
