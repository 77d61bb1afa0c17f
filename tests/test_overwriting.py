"""Only what lensnet has written is ever removed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from lensnet.errors import RunError
from lensnet.output_files import check_page, check_table
from lensnet.overwriting import EXPORT, RUN
from lensnet.run_folder import RunFolder

SAVED = Path(__file__).parent / "saved" / "run"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def run(tmp_path):
    """A run folder of an earlier version, which set no mark."""
    return Path(shutil.copytree(SAVED, tmp_path / "run"))


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "export"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / name).write_bytes(b"")
    EXPORT.write_mark(folder)
    return folder


def test_a_run_is_replaced_by_an_empty_folder_with_a_mark(run):
    (run / "figures").mkdir()
    (run / "figures" / "roc_curve.png").write_bytes(b"")
    (run / ".history.a1b2c3d4.csv").write_text("what a kill has left")
    for name in ("tensorboard/events.out.tfevents.1.host", "wandb/run-1/files/config.yaml"):
        (run / name).parent.mkdir(parents=True)
        (run / name).write_bytes(b"")
    (run / "wandb" / "latest-run").symlink_to("run-1")
    RunFolder.create(run, overwrite=True)
    assert names(run) == ["lensnet.json"]
    assert json.loads((run / "lensnet.json").read_text())["kind"] == "run"


def test_an_export_is_emptied(export):
    EXPORT.empty(export)
    assert names(export) == []


FOREIGN = [
    "thesis.txt",
    "figures/plot.png",
    "checkpoints/notes.txt",
    "export/thesis.txt",
    "cutouts/0.npy",
    "model.keras.bak",
    ".hidden",
    "metrics.json.old",
    "tensorboard/mine.csv",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_run_with_a_file_of_the_users_is_left_alone(run, name):
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("three years of work")
    before = names(run)
    with pytest.raises(RunError, match="which lensnet has not written") as caught:
        RunFolder.create(run, overwrite=True)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert names(run) == before


def test_results_on_other_data_are_removed_with_the_run_and_nothing_beside_them(run):
    results = run / "evaluations" / "survey"
    (results / "figures").mkdir(parents=True)
    for name in ("experiment.yaml", "metrics.json", "figures/roc_curve.png"):
        (results / name).write_bytes(b"")
    (run / "evaluations" / "empty").mkdir()
    assert RUN.foreign_files(run) == []
    for name in ("evaluations/notes.txt", "evaluations/survey/notes.txt"):
        (run / name).write_text("mine")
        assert RUN.foreign_files(run) == [run / name]
        (run / name).unlink()
    RUN.empty(run)
    assert not (run / "evaluations").exists()


def test_folders_and_links_of_the_users_in_a_run(run, tmp_path):
    (run / "cutouts").mkdir()
    with pytest.raises(RunError, match="holds cutouts"):
        RUN.check_removable(run)
    (run / "cutouts").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "roc_curve.png").write_bytes(b"")
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="holds figures"):
        RUN.check_removable(run)
    assert names(tmp_path / "elsewhere") == ["roc_curve.png"]


def test_a_project_folder_is_no_run(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(SAVED / "experiment.yaml", project)
    for attempt in ({}, {"overwrite": True}):
        with pytest.raises(RunError):
            RunFolder.create(project, **attempt)
    assert names(project) == ["experiment.yaml"]
    (project / "thesis.txt").write_text("three years of work")
    with pytest.raises(RunError, match="is not a run folder, so it is left alone"):
        RunFolder.check_free(project)
    with pytest.raises(RunError, match="is not a run folder, so it is left alone"):
        RunFolder.check_free(project, overwrite=True)
    with pytest.raises(RunError, match="is not a run folder that lensnet has made"):
        RunFolder.open_to_resume(project)
    assert names(project) == ["experiment.yaml", "thesis.txt"]


@pytest.mark.parametrize("where", [".", "..", "../run", "figures/.."])
def test_the_working_directory_is_never_removed(run, monkeypatch, where):
    (run / "figures").mkdir()
    inside = run if where != ".." else run / "figures"
    monkeypatch.chdir(inside)
    before = names(run)
    with pytest.raises(RunError, match="is the working directory or holds it"):
        RunFolder.create(where, overwrite=True)
    with pytest.raises(RunError, match="exists already") as caught:
        RunFolder.check_free(where)
    assert "--overwrite" not in str(caught.value), "it would be refused"
    assert names(run) == before


def test_nothing_is_removed_through_a_link(run, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(run)
    before = names(run)
    for path in (link, f"{link}/"):
        with pytest.raises(RunError, match="is a link, and nothing is removed through a link"):
            RunFolder.create(path, overwrite=True)
    assert names(run) == before and link.is_symlink()
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    with pytest.raises(RunError, match="a link that leads nowhere"):
        RunFolder.check_free(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file and not a run folder"):
        RunFolder.check_free(tmp_path / "file", overwrite=True)
    with pytest.raises(RunError, match="is a file and not an export"):
        EXPORT.check_removable(tmp_path / "file")


def test_an_empty_folder_is_used_as_it_is(tmp_path, monkeypatch):
    """Also where it is the working directory, or a link leads to it."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    RunFolder.create(".")
    assert names(tmp_path / "empty") == ["lensnet.json"] == os.listdir(".")


def test_what_a_kill_leaves_of_a_beginning_is_free(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_json("environment.json", {})
    (run.path / ".data.a1b2c3d4.json").write_text("{")
    RunFolder.check_free(run.path)
    (run.path / "model.keras").write_bytes(b"")
    with pytest.raises(RunError):
        RunFolder.check_free(run.path)


@pytest.mark.parametrize(
    ("content", "is_own"),
    [
        ("id,file,predicted,score_lens\n", True),
        ("", True),
        ("years of work\n", False),
        ("file,id\n", False),
        ("identity,file\n", False),
    ],
)
def test_a_table_is_known_by_its_columns(tmp_path, content, is_own):
    path = tmp_path / "scores.csv"
    path.write_text(content)
    if is_own:
        check_table(path, ("id", "file"))
        return
    with pytest.raises(RunError, match="is not a table that lensnet has written"):
        check_table(path, ("id", "file"))


def test_a_fits_table_is_known_by_its_columns(tmp_path):
    from astropy.table import Table

    path = tmp_path / "scores.fits"
    Table({"id": ["a"], "file": ["b"]}).write(path)
    check_table(path, ("id", "file"))
    Table({"file": ["b"], "id": ["a"]}).write(path, overwrite=True)
    with pytest.raises(RunError):
        check_table(path, ("id", "file"))


def test_a_page_is_known_by_its_title(tmp_path):
    path = tmp_path / "page.html"
    check_page(path)
    path.write_text("<title>My thesis</title>")
    with pytest.raises(RunError, match="is not a page that lensnet has written"):
        check_page(path)
    with pytest.raises(RunError, match="is a link or a device"):
        check_page(Path("/dev/null"))
