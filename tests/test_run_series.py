"""A folder of several runs: what may be begun there, gone on with and removed."""

import shutil
from pathlib import Path

import pytest

from lensnet import config
from lensnet.errors import RunError
from lensnet.overwriting import RUN, SERIES
from lensnet.run_folder import RunFolder
from lensnet.run_series import RunSeries

SAVED = Path(__file__).parent / "saved" / "run"
NAMES = ("seed-0", "seed-1")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def series(tmp_path):
    made = RunSeries(tmp_path / "several")
    made.create(config.load(SAVED / "experiment.yaml", check_source=False))
    for name in NAMES:
        shutil.copytree(SAVED, made.path / name)
        RUN.write_mark(made.path / name)
    (made.path / "summary.csv").write_text("split,metric\n")
    return made


def test_a_new_folder_is_free_and_nothing_is_made(tmp_path):
    series = RunSeries(tmp_path / "new")
    assert not series.check_fit(NAMES, resume=True, overwrite=False)
    assert not series.path.exists()


def test_runs_that_are_there(series):
    with pytest.raises(RunError, match="exists already. Go on with its runs by --resume"):
        series.check_fit(NAMES, resume=False, overwrite=False)
    assert series.check_fit([*NAMES, "seed-2"], resume=True, overwrite=False)
    with pytest.raises(RunError, match=r"holds several runs: name one of them, such as .*seed-0"):
        RunFolder.open(series.path)
    assert RunFolder.open(series.path / "seed-1").read_experiment()


def test_they_are_replaced_whole(series):
    assert not series.check_fit(NAMES, resume=False, overwrite=True)
    series.remove()
    assert names(series.path) == []


@pytest.mark.parametrize("name", ["thesis.txt", "seed-0/thesis.txt", "seed-notes/thesis.txt"])
def test_a_file_of_the_users_keeps_them_all(series, name):
    (series.path / name).parent.mkdir(exist_ok=True)
    (series.path / name).write_text("three years of work")
    before = names(series.path)
    with pytest.raises(RunError, match="left alone"):
        series.check_fit(NAMES, resume=False, overwrite=True)
    with pytest.raises(RunError, match="left alone"):
        series.remove()
    assert names(series.path) == before


def test_a_single_run_in_the_way(tmp_path):
    run = RunSeries(Path(shutil.copytree(SAVED, tmp_path / "run")))
    with pytest.raises(RunError, match="holds a single run. Replace it by --overwrite"):
        run.check_fit(NAMES, resume=False, overwrite=False)
    run.check_fit(NAMES, resume=False, overwrite=True)
    run.create(config.load(SAVED / "experiment.yaml", check_source=False))
    assert names(run.path) == ["lensnet.json", "series.yaml"] and SERIES.is_marked(run.path)
    with pytest.raises(RunError, match="is not a run folder, so it is left alone"):
        RunFolder.check_free(run.path, overwrite=True)


def test_a_folder_of_somebody_else(tmp_path):
    (tmp_path / "seed-0").mkdir()
    (tmp_path / "seed-0" / "thesis.txt").write_text("three years of work")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="left alone"):
            RunSeries(tmp_path).check_fit(NAMES, resume=True, overwrite=overwrite)


def test_a_run_in_use(series):
    series.check_unused(NAMES)
    with series.run("seed-1").held("lensnet evaluate"):
        with pytest.raises(RunError, match="seed-1 is in use by lensnet evaluate"):
            series.check_unused(NAMES)
