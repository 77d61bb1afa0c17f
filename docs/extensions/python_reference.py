"""The reference of the Python API: `python-api MODULE` in a page.

What a module's `__all__` names is public, and is described by its docstring. Griffe reads the
source and imports nothing; names that are imported when they are first used it finds where the type
checker does.
"""

from __future__ import annotations

import functools
import inspect
import re
from pathlib import Path

import griffe
from generated_markdown import add_generator, code, plain
from sphinx.application import Sphinx

__all__ = ["describe", "public_modules", "public_names", "setup", "to_markdown"]

_ROOT = Path(__file__).parents[2]
_PROMPT = re.compile(r"(?:^>>> .*\n?(?:^(?!>>>|\n|\s*$).*\n?)*)+", re.MULTILINE)


@functools.cache
def _package() -> griffe.Object | griffe.Alias:
    return griffe.load("lensnet", search_paths=[_ROOT], allow_inspection=False)


def public_names(module: str) -> list[str]:
    """Returns the names that `__all__` of a module holds, sorted; modules in it left out."""
    found = _module(module)
    names = sorted(map(str, found.exports or []), key=str.lower)
    return [name for name in names if _kind(found, name) not in (None, griffe.Kind.MODULE)]


def public_modules() -> list[str]:
    """Returns `lensnet`, the modules that it names, and the public ones in these."""
    names = ["lensnet"]
    for name in names:
        inner = map(str, _module(name).exports or [])
        paths = [f"{name}.{one}" for one in inner if _is_module(_module(name), one)]
        names += [path for path in paths if _module(path).exports]
    # What the layers are made of, for those who write experiments in Python.
    return names + [f"lensnet.{name}" for name in ("losses", "metrics", "optimizers", "schedules")]


def _module(path: str) -> griffe.Object:
    inner = path.partition(".")[2]
    return _target(_package()[inner] if inner else _package())


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


def _is_module(module: griffe.Object, name: str) -> bool:
    return _kind(module, name) is griffe.Kind.MODULE


def _kind(module: griffe.Object, name: str) -> griffe.Kind | None:
    return module.members[name].kind if name in module.members else None


def describe(module: str) -> str:
    """Returns the description of a module and of its public names as Markdown."""
    found = _module(module)
    lines = [to_markdown(found), "", f"````{{py:module}} {module}", "````", ""]
    for name in public_names(module):
        lines += [f"## `{name}`", "", *_object(name, _target(found[name])), ""]
    return "\n".join(lines)


def _object(name: str, found: griffe.Object) -> list[str]:
    if isinstance(found, griffe.Class):
        methods = [
            line
            for method in found.members.values()
            if isinstance(method, griffe.Function) and _is_shown(method)
            for line in _directive(method.name, method, "method", "````", [])
        ]
        return _directive(name, found, "class", "`````", methods)
    kind = "function" if isinstance(found, griffe.Function) else "data"
    return _directive(name, found, kind, "`````", [])


def _is_shown(method: griffe.Function) -> bool:
    """Whether users call it: neither private nor part of Keras's own protocol."""
    keras = ("build", "call", "get_config", "from_config", "compute_output_shape", "fold")
    return not method.name.startswith("_") and method.name not in keras and bool(method.docstring)


def _directive(
    name: str, found: griffe.Object, kind: str, fence: str, inner: list[str]
) -> list[str]:
    if kind == "method" and "property" in found.labels:
        kind = "property"
    fence = "````" if kind in ("method", "property") else fence
    head = f"{fence}{{py:{kind}}} {name}{_signature(found)}"
    return [
        head,
        ":no-index-entry:" if kind == "method" else "",
        "",
        to_markdown(found),
        "",
        *inner,
        fence,
        "",
    ]


def _signature(found: griffe.Object) -> str:
    if isinstance(found, griffe.Attribute):
        return ""
    shown, starred = [], False
    for parameter in getattr(found, "parameters", []):
        if parameter.name in ("self", "cls"):
            continue
        kind = parameter.kind
        if kind is griffe.ParameterKind.keyword_only and not starred:
            shown.append("*")
            starred = True
        starred = starred or kind is griffe.ParameterKind.var_positional
        text = parameter.name
        text = f"*{text}" if kind is griffe.ParameterKind.var_positional else text
        text = f"**{text}" if kind is griffe.ParameterKind.var_keyword else text
        variadic = text.startswith("*")
        default = f"={parameter.default}" if parameter.default and not variadic else ""
        shown.append(text + default)
    return f"({', '.join(shown)})"


def to_markdown(found: griffe.Object) -> str:
    """Returns a docstring as Markdown: arguments as a list, examples as code."""
    if not found.docstring:
        return ""
    lines = []
    for section in griffe.parse_google(found.docstring, warnings=False):
        kind = section.kind.value
        if kind == "text":
            lines.append(_fenced(section.value))
        elif kind == "parameters":
            lines.append("**Arguments**\n")
            lines += [_item(code(one.name), one.description) for one in section.value]
        elif kind in ("attributes", "raises"):
            lines.append(f"**{kind.capitalize()}**\n")
            lines += [
                _item(code(getattr(one, "name", None) or one.annotation), one.description)
                for one in section.value
            ]
        elif kind in ("returns", "yields"):
            # As it stands: griffe would take what comes before a colon for a type.
            head = rf"^{kind.capitalize()}:\n((?:    .*(?:\n|$)|\n)+)"
            said = inspect.cleandoc(re.search(head, found.docstring.value, re.MULTILINE)[1])
            lines.append(f"**{kind.capitalize()}** {plain(said)}")
        elif kind == "admonition":
            lines.append(f"**{section.title}** {_fenced(section.value.description)}")
        elif kind == "examples":
            lines += [_fenced(text) for _, text in section.value]
        else:
            raise ValueError(f"{found.path}: a docstring has a section of {kind}")
        lines.append("")
    return "\n".join(lines)


def _item(name: str, text: str) -> str:
    return f"- {name}: " + _fenced(text).replace("\n", "\n  ")


def _fenced(text: str) -> str:
    """Puts examples into blocks of code; what is between them is text."""
    parts = re.split(f"({_PROMPT.pattern})", text, flags=re.MULTILINE)
    parts[::2] = [_without_marks(part) for part in parts[::2]]
    parts[1::2] = [f"\n```pycon\n{part.rstrip()}\n```\n\n" for part in parts[1::2]]
    return "".join(parts)


def _without_marks(prose: str) -> str:
    """Takes the roles of reStructuredText away, and keeps stars and the like as they are."""
    prose = re.sub(r":(?:func|class|mod|meth):(?=`)", "", plain(prose))
    return re.sub(r"^Example:$", "**Example**", prose, flags=re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    add_generator(app, "python-api", describe)
    return {"parallel_read_safe": True}
