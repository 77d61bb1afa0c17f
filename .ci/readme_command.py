"""Prints the n-th command of the README's first code block, so that it is tested as it stands."""

import re
import sys
from pathlib import Path


def commands(readme: str) -> list[str]:
    """Returns the commands of the first shell block: paragraphs, without their comments."""
    block = re.search(r"```(?:bash|sh|shell)\n(.*?)```", readme, re.DOTALL)
    if block is None:
        raise SystemExit("README.md has no shell block.")
    paragraphs = re.split(r"\n\s*\n", block[1].strip())
    return [re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE).strip() for text in paragraphs]


if __name__ == "__main__":
    readme = Path(__file__).parent.parent / "README.md"
    sys.stdout.write(commands(readme.read_text(encoding="utf-8"))[int(sys.argv[1]) - 1] + "\n")
