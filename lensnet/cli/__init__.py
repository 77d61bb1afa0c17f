"""The command line. Imports click alone; each command imports what it needs when it runs."""

from lensnet.cli.main import main

__all__ = ["main"]
