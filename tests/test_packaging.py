"""What `pip install` installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_folder_with_python_in_it_is_installed():
    setup = (
        "from setuptools import distutils; from distutils.core import run_setup;"
        "print(*run_setup('setup.py', stop_after='init').packages, sep='\\n')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", setup], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folders = {
        file.parent.relative_to(ROOT)
        for top in ("lensnet", "datasets")
        for file in (ROOT / top).rglob("*.py")
    }
    expected = {
        ".".join(folder.parts).replace("datasets", "lensnet.datasets") for folder in folders
    }
    assert set(answer.stdout.split()) == expected
