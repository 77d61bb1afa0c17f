"""What importing costs, and what it finds. Each check runs in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(
    bool(os.environ.get("LENSNET_BLOCK_TENSORFLOW")), reason="checks the imports of TensorFlow"
)


def run(code, **options):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_does_not_import_tensorflow():
    """No package of ours, the one after the other; the first that does is named."""
    code = (
        "import importlib, pkgutil, sys, lensnet\n"
        "from lensnet import registry\n"
        "registry.backbones.names(), registry.datasets.names()\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'matplotlib', 'jinja2'}\n"
        "names = [name for _, name, _ in pkgutil.iter_modules(lensnet.__path__, 'lensnet.')]\n"
        "assert len(names) > 20\n"
        "for name in ['lensnet', 'lensnet.cli.explore', 'lensnet.cli.fit', *names]:\n"
        "    if name not in ('lensnet.__main__', 'lensnet.layers', 'lensnet.losses',\n"
        "                    'lensnet.metrics', 'lensnet.optimizers', 'lensnet.schedules'):\n"
        "        importlib.import_module(name)\n"
        "    found = sorted(heavy & set(sys.modules))\n"
        "    assert not found, (name, found)"
    )
    run(code)


def test_the_command_line_imports_click_alone():
    code = (
        "import sys, lensnet.cli\n"
        "heavy = {'numpy', 'pydantic', 'yaml', 'rich', 'astropy'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    assert run(code) == "[]"


@pytest.mark.processes
@pytest.mark.parametrize(
    "order",
    [
        "import keras, lensnet",
        "import importlib.util, lensnet; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_keras_knows_our_layers_in_either_order(order):
    """With the backend that is imported soonest: the mechanism knows none."""
    code = f"{order}\nprint(keras.saving.get_registered_object('lensnet>GroupConv2D'))"
    assert "GroupConv2D" in run(code, env={**os.environ, "KERAS_BACKEND": "numpy"})


def test_the_checkouts_datasets_folder_shadows_nothing():
    """`datasets` is Hugging Face's name; ours is `lensnet.datasets`."""
    code = (
        "import importlib.util, lensnet.datasets\n"
        "found = importlib.util.find_spec('datasets')\n"
        "print(lensnet.datasets.__file__)\n"
        "print(getattr(found, 'origin', None))"
    )
    ours, found = run(code, cwd=ROOT / "tests").splitlines()
    assert Path(ours).parent.name == "datasets"
    assert found != ours
