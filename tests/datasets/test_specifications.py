"""What `lensnet.datasets` says of each data set agrees with its builder."""

import subprocess
import sys
from pathlib import Path

import pytest

import lensnet.datasets
from lensnet import registry
from lensnet.registry import load_object

NAMES = registry.datasets.names()
FOLDER = Path(lensnet.datasets.__file__).parent


def test_importing_is_cheap():
    """No framework is loaded to know the names and options of the data sets."""
    heavy = {"astropy", "keras", "matplotlib", "numba", "scipy", "tensorflow"}
    heavy |= {"tensorflow_datasets"}
    code = f"import lensnet.datasets, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_has_its_folder(name):
    dataset, _, variant = name.partition("/")
    spec = registry.datasets.get(name)
    folder = FOLDER / dataset
    for file in ("README.md", "CITATIONS.bib", f"{dataset}_dataset_builder.py", "options.py"):
        assert (folder / file).read_text().strip(), file
    builder = load_object(spec.builder)
    assert builder.name == dataset
    assert str(builder.VERSION) in builder.RELEASE_NOTES
    assert str(builder.pkg_dir_path) == str(folder)
    config = builder.builder_configs[variant or "files"]
    assert config.options == spec.options() and config.description == spec.summary
    # Simulated or read, and never both.
    assert sum(bool(where) for where in (spec.simulator, spec.folders, spec.source)) == 1
    if not spec.needs_source_dir:
        assert builder(config=variant).source.classes == (spec.classes or ())
