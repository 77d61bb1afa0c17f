"""The reference of the command line, from click: `commands` in a page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from generated_markdown import add_generator, code, plain, table
from sphinx.application import Sphinx

from lensnet.cli.main import cli

__all__ = ["command_lines", "commands", "every_command", "paragraphs", "setup"]


def paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Returns the paragraphs of a help text, and the lines that are shown as they stand."""
    found = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.splitlines()
        if lines[0] != "\b":
            found.append((" ".join(lines), []))
        elif lines[1].startswith("    "):
            found.append(("", inspect.cleandoc("\n".join(lines[1:])).splitlines()))
        else:
            found.append((lines[1], inspect.cleandoc("\n".join(["", *lines[2:]])).splitlines()))
    return found


def command_lines(command: click.Command) -> str:
    """Returns the examples in the help of a command."""
    lines = [line for _, shown in paragraphs(command.help or "") for line in shown]
    return "\n".join(line for line in lines if line.startswith("lensnet "))


def every_command(
    group: click.Group = cli, parent: click.Context | None = None
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yields the commands of a group, and after one that is a group those of it."""
    context = parent or click.Context(group, info_name="lensnet")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield command, inner
        if isinstance(command, click.Group):
            yield from every_command(command, inner)


def commands() -> str:
    """Returns the reference of every command as Markdown."""
    lines = _prose(cli.help or "")
    for command, inner in every_command():
        usage = " ".join(command.collect_usage_pieces(inner))
        path = inner.command_path
        lines += [f"## `{path}`", "", "```text", f"{path} {usage}", "```", ""]
        lines += _prose(command.help or "")
        options = [one for one in command.params if isinstance(one, click.Option)]
        lines += table(
            ["option", "value", "default", "what"],
            [_row(option, inner) for option in options if not option.hidden],
        )
    return "\n".join(lines)


def _prose(text: str) -> list[str]:
    lines = []
    for said, shown in paragraphs(text):
        lines += [plain(said), ""]
        lines += ["```text", *shown, "```", ""] if shown else []
    return lines


def _row(option: click.Option, context: click.Context) -> list[str]:
    names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else code(option.make_metavar(context))
    default = option.to_info_dict()["default"]
    is_set = default not in (None, (), [], False) and "UNSET" not in repr(default).upper()
    return [names, value, code(default) if is_set else "", plain(option.help or "")]


def setup(app: Sphinx) -> dict[str, bool]:
    add_generator(app, "commands", commands)
    return {"parallel_read_safe": True}
