"""No module of lensnet imports itself by way of others, wherever in them the imports stand."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Where packages lie in the checkout, and what they are called once installed.
FOLDERS = {ROOT / "lensnet": "lensnet", ROOT / "datasets": "lensnet.datasets"}


def module_files(folders):
    """The file of every module, by its name."""
    found = {}
    for folder, package in folders.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


def imported(name, path, modules):
    """The modules that a module names in its imports: under TYPE_CHECKING and in functions, too.

    `from package import name` counts as an import of the package only where `name` is not a module
    of it. That an import runs the `__init__` of every package above is left out: a package that
    lists what its modules define would be a cycle with each of them.
    """
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                module = f"{base}.{alias.name}"
                found.add(module if module in modules else base)
    return (found & set(modules)) - {name}


def circle(edges):
    """Modules that import one another in turn, the first one again at the end; none if none do."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def import_edges(folders):
    modules = module_files(folders)
    return {name: imported(name, path, modules) for name, path in modules.items()}


def test_there_are_no_circles_of_imports():
    edges = import_edges(FOLDERS)
    assert len(edges) > 200 and "lensnet.datasets.image_folder.options" in edges
    assert circle(edges) == []


def test_circles_are_found_wherever_the_imports_stand(tmp_path):
    """The negative control: under TYPE_CHECKING, in a function, relative, by way of a third."""
    package = tmp_path / "house"
    package.mkdir()
    for name, text in {
        "__init__": "from house import one",
        "one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.two",
        "two": "def f():\n    from .three import something",
        "three": "from house import one",
        "four": "from house import one",
    }.items():
        (package / f"{name}.py").write_text(text)
    edges = import_edges({package: "house"})
    assert edges["house.four"] == {"house.one"}
    assert set(circle(edges)) == {"house.one", "house.three", "house.two"}
