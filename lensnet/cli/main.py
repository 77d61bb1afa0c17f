"""The `lensnet` command: its subcommands, and what the user sees when something is wrong."""

from __future__ import annotations

import errno
import importlib
import logging
import sys
from collections.abc import Sequence

import click

from lensnet.errors import LensnetError, did_you_mean, is_full_disk
from lensnet.interruption import listening

__all__ = ["cli", "main"]

# Each command's module is imported when the command is asked for.
_COMMANDS = {
    "fit": "lensnet.cli.fit",
    "evaluate": "lensnet.cli.evaluate",
    "invariance": "lensnet.cli.invariance",
    "predict": "lensnet.cli.predict",
    "inspect": "lensnet.cli.inspect",
    "grades": "lensnet.cli.grades",
    "threshold": "lensnet.cli.threshold",
    "selection": "lensnet.cli.selection",
    "learn": "lensnet.cli.learn",
    "explain": "lensnet.cli.explain",
    "embed": "lensnet.cli.embed",
    "export": "lensnet.cli.export",
    "ensemble": "lensnet.cli.ensemble",
    "search": "lensnet.cli.search",
    "benchmark": "lensnet.cli.benchmark",
    "report": "lensnet.cli.report",
    "compare": "lensnet.cli.compare",
    "prepare": "lensnet.cli.prepare",
    "explore": "lensnet.cli.explore",
    "models": "lensnet.cli.models",
    "datasets": "lensnet.cli.datasets",
}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


class _Commands(click.Group):
    """A group that knows its commands by name and suggests the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(
                f'There is no command "{args[0]}".{did_you_mean(args[0], _COMMANDS)} '
                f"Commands: {', '.join(_COMMANDS)}.",
                ctx=ctx,
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lensnet", message="lensnet %(version)s")
def cli() -> None:
    """Rotation-equivariant networks for images of strong gravitational lenses.

    \b
    Train a network that one YAML file describes, then use it:
        lensnet fit experiment.yaml
        lensnet predict runs/NAME cutouts/ -o scores.csv
        lensnet export runs/NAME --format saved_model

    Exit codes: 0 done, 2 wrong usage or configuration, 3 bad input data, 1 anything else.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    _log_to_standard_error()
    with listening():
        _run(arguments)


def _run(arguments: Sequence[str] | None) -> None:
    try:
        cli.main(args=arguments, prog_name="lensnet", standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted. What was whole before still is; run the command again.")
        sys.exit(1)
    except LensnetError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_ALLOWED:
            _say(f"{error.filename or 'A file'}: {error.strerror}.")
            sys.exit(1)
        if not is_full_disk(error):
            raise
        _say(
            f"The disk is full, or a quota is reached: {error}. What was being written has been "
            "removed; what was whole before still is. Make room and run the command again (a "
            "training with --resume)."
        )
        sys.exit(1)


def _say(message: str) -> None:
    click.echo(f"{click.style('Error:', fg='red')} {message}", err=True)


def _log_to_standard_error() -> None:
    logger = logging.getLogger("lensnet")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not logger.handlers:
        handler = _CurrentStandardError()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)


class _CurrentStandardError(logging.Handler):
    """Writes to whatever standard error is now, not to what it was at start."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)
