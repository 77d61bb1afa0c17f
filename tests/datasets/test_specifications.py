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
    code = (
        "import time; start = time.perf_counter()\n"
        "import lensnet.datasets, sys\n"
        "print(time.perf_counter() - start)\n"
        "print(sorted({'tensorflow', 'astropy', 'numba', 'keras'} & set(sys.modules)))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    times, modules = zip(*(run.stdout.split("\n")[:2] for run in runs), strict=True)
    assert set(modules) == {"[]"}
    # The best of three, because the machine may be busy; pydantic takes most of it.
    assert min(map(float, times)) < 0.5


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
