"""The files of the studies: each is accepted, and each trains."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lensnet import config, registry
from lensnet.config.inheritance import with_bases
from lensnet.config.loading import load_ensemble_file, read_document, validate
from lensnet.config.search import load_search

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "experiments").glob("study_*/*.yaml"))
BASES = sorted((ROOT / "experiments").glob("study_*/base/*.yaml"))


def _kind(path):
    """`fit` or `ensemble` or `search`, as its head says."""
    (command,) = re.findall(r"^# Command: lensnet (\w+) experiments/(\S+)", path.read_text(), re.M)
    assert command[1].rstrip(".") == path.relative_to(ROOT / "experiments").as_posix()
    return command[0]


ROWS = [path for path in FILES if _kind(path) == "fit"]


def test_every_row_is_an_experiment():
    names = Counter(config.load(path).name for path in ROWS)
    assert set(names.values()) == {1}, "each has a run folder of its own"
    for path in ROWS:
        assert config.load(path).model.backbone in registry.backbones


def test_every_row_takes_the_original_files_by_one_key():
    for path in ROWS:
        (base,) = re.findall(r"--set base=(\S+)", path.read_text())
        document = with_bases(read_document(path), path, read_document, base)
        experiment = validate(document, check_source=False)
        assert experiment.source_dir is not None
        assert registry.datasets.get(experiment.data.dataset).needs_source_dir


def test_every_file_is_headed_by_what_it_is():
    for path in FILES:
        head = re.match(r"(#.*\n)+", path.read_text())[0]
        found = re.findall(r"^# (Source|Command|Hardware and hours|Expect): \S", head, re.M)
        assert found == ["Source", "Command", "Hardware and hours", "Expect"], path


def test_every_base_is_used():
    used = {
        (path.parent / name).resolve()
        for path in [*FILES, *BASES]
        for name in re.findall(r"base[:=] ?(\S+\.yaml)", path.read_text())
    }
    assert set(BASES) <= used


def test_every_ensemble_is_of_rows():
    for path in (path for path in FILES if _kind(path) == "ensemble"):
        members = [(path.parent / name).resolve() for name in load_ensemble_file(path).experiments]
        assert len(members) == 6 and set(members) <= set(ROWS)


def test_every_search_is_one_of_a_row():
    for path in (path for path in FILES if _kind(path) == "search"):
        row = (path.parent / read_document(path).content["experiment"]).resolve()
        assert row in ROWS
        assert load_search(path).space.parameters


def test_the_page_has_every_file():
    page = (ROOT / "docs" / "studies.md").read_text()
    named = set(re.findall(r"`(study_[a-e]/[\w.]+\.yaml)`", page))
    assert named == {path.relative_to(ROOT / "experiments").as_posix() for path in FILES}


# The smallest image of any backbone, and as many of them as make two batches for each split.
TINY = {
    "lens_finding/simulated": ["data.options={image_size: 64, examples_per_class: 24}"],
    "deeplense_substructure/simulated": ["data.options={image_size: 64, examples_per_class: 16}"],
    "halo_mass/simulated": ["data.options={image_size: 64, examples: 48}"],
}
SHORT = ["training.epochs=1", "training.batch_size=16", "model.width=0.25"]


def _short(path, tmp_path):
    shrunk = [*SHORT, *TINY[config.load(path).data.dataset], f"data.data_dir={tmp_path}"]
    return [*shrunk, "data.image_size=null", "tracking.tensorboard=false"]


@pytest.mark.slow
@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_row_trains(path, tmp_path):
    from lensnet.training import fit

    run = fit(config.load(path, _short(path, tmp_path)), tmp_path / "run")
    assert (run.path / "report.html").is_file()


@pytest.mark.slow
def test_the_ensemble_of_study_d_is_made(tmp_path, monkeypatch):
    from lensnet.cli import main

    path = ROOT / "experiments" / "study_d" / "ensemble.yaml"
    first = path.parent / load_ensemble_file(path).experiments[0]
    monkeypatch.chdir(tmp_path)
    overrides = [word for key in _short(first, tmp_path) for word in ("--set", key)]
    main(["ensemble", str(path), *overrides])
    assert (tmp_path / "runs" / "study-d-ensemble" / "metrics.json").is_file()
