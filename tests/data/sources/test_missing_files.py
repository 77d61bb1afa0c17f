"""Files that a table names and that are not there are told before TensorFlow is started."""

import subprocess
import sys

import numpy as np
import pytest
import yaml

from lensnet.config import Experiment
from lensnet.data.sources.missing_files import check_named_files
from lensnet.errors import DataError


def content(folder, **options):
    return {
        "name": "table",
        "task": "classification",
        "data": {
            "dataset": "fits_catalog",
            "source_dir": str(folder),
            "options": {"label_column": "kind", **options},
        },
        "model": {"backbone": "resnet18"},
    }


@pytest.fixture
def table(tmp_path):
    """Writes a table of so many rows of which so many files are missing."""

    def write(rows, missing):
        folder = tmp_path / f"{missing} of {rows}"
        folder.mkdir()
        lines = [f"{index}.npy,{'ab'[index % 2]}" for index in range(rows)]
        (folder / "objects.csv").write_text("\n".join(["file,kind", *lines]) + "\n")
        for index in range(missing, rows):
            np.save(folder / f"{index}.npy", np.zeros((2, 2)))
        return folder

    return write


def check(folder, **options):
    check_named_files(Experiment.model_validate(content(folder, **options)))


def test_as_many_as_may_be_bad(table):
    folder = table(20, missing=4)
    check(folder, max_bad=0.2)
    with pytest.raises(DataError, match=r"4 of the 20 rows .* allows 15.0%.*/0\.npy"):
        check(folder, max_bad=0.15)


def test_of_a_long_table_only_when_it_is_most_of_what_is_looked_at(table):
    """What follows may lower the share."""
    check(table(1200, missing=400), max_bad=0.2)
    with pytest.raises(DataError, match="1000 of the 1000 first rows"):
        check(table(2400, missing=2000), max_bad=0.2)


def test_data_sets_without_a_table_are_left_alone(tmp_path):
    (tmp_path / "a").mkdir()
    experiment = content(tmp_path)
    experiment["data"] |= {"dataset": "image_folder", "options": {}}
    check_named_files(Experiment.model_validate(experiment))


@pytest.mark.parametrize("command", ["fit", "prepare"])
def test_commands_say_so_before_tensorflow_is_imported(table, tmp_path, command):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(content(table(20, missing=20))))
    code = (
        "import sys\n"
        "from lensnet.cli import main\n"
        "try:\n"
        f"    main(['{command}', sys.argv[1]])\n"
        "except SystemExit as leave:\n"
        "    print(leave.code, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout.split() == ["3", "False"], done.stderr
    assert "20 of the 20 rows" in done.stderr
