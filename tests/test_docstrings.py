"""Every example in a docstring runs, and what users are given by name has one."""

import ast
import doctest
import importlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"lensnet": ROOT / "lensnet", "lensnet.datasets": ROOT / "datasets"}
# Levels 0 to 2 of the design, which need no TensorFlow.
LOWER = ("lensnet.symmetry", "lensnet.registry", "lensnet.errors", "lensnet.config")
LOWER += ("lensnet.layers", "lensnet.losses", "lensnet.metrics", "lensnet.optimizers")
LOWER += ("lensnet.schedules", "lensnet.models", "lensnet.files", "lensnet.progress")
LOWER += ("lensnet.circular_harmonics", "lensnet.tasks", "lensnet.testing")
# What users take from there by name; each must show how it is used.
SHOWN = ("lensnet.layers", "lensnet.losses", "lensnet.metrics", "lensnet.optimizers")
SHOWN += ("lensnet.schedules", "lensnet.testing", "lensnet.evaluation")
SHOWN += ("lensnet.evaluation.figures",)


def allowed(name):
    return not os.environ.get("LENSNET_BLOCK_TENSORFLOW") or name.startswith(LOWER)


def modules_with_examples():
    """The modules in whose docstrings there is a prompt or the heading of an example."""
    found = []
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(part for part in parts if part != "__init__")
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
            docs = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
            # Those of commands are for a shell.
            signs = (">>>",) if name.startswith("lensnet.cli") else (">>>", "Example:\n")
            if allowed(name) and any(sign in doc for doc in docs for sign in signs):
                found.append(name)
    return found


MODULES = modules_with_examples()


def test_there_are_many():
    assert len(MODULES) > 50


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
    assert result.attempted > 0, "There are examples, but all of them are skipped."


@pytest.mark.parametrize("name", [name for name in SHOWN if allowed(name)])
def test_what_is_given_by_name_shows_how_it_is_used(name):
    module = importlib.import_module(name)
    public = getattr(module, "__all__", [key for key in vars(module) if key.islower()])
    without = [
        key
        for key in public
        if getattr(getattr(module, key), "__module__", "").startswith("lensnet.")
        and ">>>" not in (getattr(module, key).__doc__ or "")
    ]
    assert without == []
