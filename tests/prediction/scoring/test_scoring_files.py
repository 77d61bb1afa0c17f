"""Partitions that are worked off: killed, resumed, shared, merged; a stub stands for a network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import brightness_network
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from lensnet.csv_tables import read_dicts
from lensnet.errors import ConfigurationError, DataError, RunError
from lensnet.interruption import Interrupted
from lensnet.prediction.scoring.ordering import ordered_pieces
from lensnet.prediction.scoring.score_request import ScoredRun, ScoreRequest
from lensnet.prediction.scoring.scoring_files import merge_scores, score
from lensnet.prediction.scoring.shards import Shard
from lensnet.prediction.scoring.work_folder import WorkFolder

NUM_IMAGES = 25
BAD = {3: "the file is empty", 17: "shape (5, 5, 1), the network takes (8, 8, 1)"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(ScoredRun, "open", brightness_network.scored_run)
    return brightness_network.make_run(tmp_path / "run")


@pytest.fixture
def images(tmp_path):
    """Images of which the n-th has the mean n / 100; two are bad, and one has a gap."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(NUM_IMAGES):
        image = np.full((8, 8), number / 100, np.float32)
        image[0, 0] += 0.08
        image[1, 1] -= 0.08
        if number == 5:
            image[0, 3] = np.nan
        if number == 17:
            image = image[:5, :5]
        np.save(folder / f"{number:02d}.npy", image)
    (folder / "03.npy").write_bytes(b"")
    return folder


def request(run, images, output, **options):
    options = {"batch_size": 3, "partition_rows": 4, **options}
    return ScoreRequest(
        run, (str(images),), output, network="brightness_network:open_network", **options
    )


def check_whole(output, reader=read_dicts):
    rows = list(reader(output))
    assert [row["id"] for row in rows] == [f"{number:02d}" for number in range(NUM_IMAGES)]
    for number, row in enumerate(rows):
        assert row["file"].endswith(f"/{number:02d}.npy")
        if number in BAD:
            assert row["status"] == BAD[number]
            empty = ("predicted", "score_galaxy", "score_lens", "uncertainty", "filled_pixels")
            assert all(row[name] in ("", None) for name in empty), row
            continue
        assert row["status"] == "ok" and row["predicted"] == "galaxy"
        assert float(row["score_lens"]) == pytest.approx(number / 100, abs=2e-3)
        assert float(row["score_lens"]) + float(row["score_galaxy"]) == pytest.approx(1)
        assert int(row["filled_pixels"]) == (number == 5)
    assert not WorkFolder.of(Path(output)).path.exists()


def test_a_row_for_every_input_in_order(run, images, tmp_path, caplog):
    output = tmp_path / "scores.csv"
    assert score(request(run, images, output)) == NUM_IMAGES - len(BAD)
    check_whole(output)
    assert list(next(read_dicts(output))) == [
        "id", "file", "predicted", "score_galaxy", "score_lens", "uncertainty", "filled_pixels",
        "status",
    ]  # fmt: skip
    assert "2 images have no score; the column status says why" in caplog.text
    assert "in 1 of the images; the column filled_pixels" in caplog.text


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("ending", ["fits", "ecsv", "vot", "parquet"])
def test_every_format_has_the_same_table(run, images, tmp_path, ending):
    score(request(run, images, tmp_path / f"scores.{ending}"))

    def rows(path):
        if ending == "parquet":
            return pq.read_table(path).to_pylist()
        form = {"fits": "fits", "ecsv": "ascii.ecsv", "vot": "votable"}[ending]
        table = Table.read(path, format=form)
        return [
            {
                name: "" if row[name] is np.ma.masked or str(row[name]) == "nan" else str(row[name])
                for name in table.colnames
            }
            for row in table
        ]

    check_whole(tmp_path / f"scores.{ending}", rows)


class Stopping(brightness_network.Brightness):
    """Is asked to stop while it scores its fifth batch."""

    batches = 0

    def __call__(self, images):
        Stopping.batches += 1
        if Stopping.batches == 5:
            raise KeyboardInterrupt
        return super().__call__(images)


@pytest.fixture
def stopped(run, images, tmp_path, monkeypatch):
    """A request that was stopped when two partitions were scored."""
    asked = request(run, images, tmp_path / "scores.csv")
    Stopping.batches = 0
    with monkeypatch.context() as patch:
        patch.setattr(brightness_network, "open_network", lambda *_: Stopping())
        with pytest.raises(Interrupted) as caught:
            score(asked)
    words = f"Go on by `lensnet predict {run} {images} -o {asked.output} --batch-size 3"
    assert words in str(caught.value) and "--partition-rows 4 --resume`" in str(caught.value)
    assert asked.work.done() == {0, 1} and not asked.output.exists()
    return asked


def test_what_was_stopped_is_gone_on_with(stopped, run, images):
    before = {n: stopped.work.part(n).stat().st_mtime_ns for n in (0, 1)}
    with pytest.raises(RunError, match=r"had scored 2 of 7 partitions.*--resume.*--overwrite"):
        score(request(run, images, stopped.output))
    assert {n: stopped.work.part(n).stat().st_mtime_ns for n in (0, 1)} == before
    score(request(run, images, stopped.output, resume=True))
    check_whole(stopped.output)
    # A scheduler may start it once more.
    assert score(request(run, images, stopped.output, resume=True)) == 0
    with pytest.raises(RunError, match="exists already"):
        score(request(run, images, stopped.output))


def test_a_plan_that_was_not_whole_is_made_anew(stopped, run, images):
    (stopped.work.path / "plan.json").unlink()
    with pytest.raises(RunError, match="was still being planned"):
        score(request(run, images, stopped.output))
    score(request(run, images, stopped.output, resume=True))
    check_whole(stopped.output)


def test_a_kill_after_the_output_had_its_name(stopped, run, images):
    """The work folder is still there: the same output is written again."""
    stopped.output.write_text("id,file\n")
    score(request(run, images, stopped.output, resume=True))
    check_whole(stopped.output)


def test_another_run_or_uncertainty_is_not_gone_on_with(stopped, run, images):
    with pytest.raises(RunError, match="begun with --uncertainty none, and this is rotations"):
        score(request(run, images, stopped.output, resume=True, uncertainty="rotations"))
    (run / "model.keras").write_bytes(b"other weights")
    with pytest.raises(RunError, match="whose network is not that of .* now. Begin anew by") as it:
        score(request(run, images, stopped.output, resume=True))
    assert "\n" not in str(it.value)
    score(request(run, images, stopped.output, overwrite=True))
    check_whole(stopped.output)


def test_changed_inputs_are_not_gone_on_with(stopped, run, images):
    np.save(images / "99.npy", np.load(images / "00.npy"))
    with pytest.raises(RunError, match=r"begun with other inputs: .*images has changed. Begin"):
        score(request(run, images, stopped.output, resume=True))
    (images / "99.npy").unlink()
    other = images.with_name("other.npy")
    np.save(other, np.load(images / "00.npy"))
    with pytest.raises(RunError, match=r"with other inputs: .*other.npy is new"):
        score(request(run, other, stopped.output, resume=True))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_catalogues_columns_are_carried_along(run, images, tmp_path):
    """With their types and units; those that lensnet has, too, under other names."""
    catalogue = Table(
        {
            "ID": [f"{number:04d}" for number in range(NUM_IMAGES)],
            "file": [f"images/{number:02d}.npy" for number in range(NUM_IMAGES)],
            "RA": np.linspace(359, 360, NUM_IMAGES, endpoint=False),
            "Dec": np.full(NUM_IMAGES, -45.0),
            "mag": np.linspace(18, 22, NUM_IMAGES).astype("f4"),
            "status": np.arange(NUM_IMAGES),
        },
        units={"RA": "deg", "Dec": "deg", "mag": "mag"},
    )
    catalogue.write(tmp_path / "galaxies.fits")
    output = tmp_path / "scores.ecsv"
    score(request(run, tmp_path / "galaxies.fits", output))
    table = Table.read(output)
    assert table.colnames == [
        "id", "file", "ra", "dec", "predicted", "score_galaxy", "score_lens", "uncertainty",
        "filled_pixels", "status", "ID_input", "file_input", "RA_input", "Dec_input", "mag",
        "status_input",
    ]  # fmt: skip
    assert [str(one) for one in table["id"]] == list(catalogue["ID"])
    np.testing.assert_array_equal(table["ra"], catalogue["RA"])
    assert table["mag"].unit == "mag" and table["mag"].dtype == np.float32
    np.testing.assert_array_equal(table["mag"], catalogue["mag"])
    np.testing.assert_array_equal(table["status_input"], catalogue["status"])
    assert table["status"][3] == BAD[3] and table["status"][4] == "ok"
    assert np.ma.is_masked(table["score_lens"][3])


def test_rows_that_were_scored_out_of_order_come_in_order(tmp_path):
    """As positions in mosaics are, tile by tile; rows are dealt out five at a time."""
    order = np.random.default_rng(0).permutation(23)
    parts = []
    for number, rows in enumerate(np.array_split(order, 4)):
        parts.append(tmp_path / f"scores-{number:05d}.parquet")
        pq.write_table(pa.table({"row": rows, "id": [f"o{row}" for row in rows]}), parts[-1])
    with ordered_pieces(parts, ["id"], tmp_path, rows=5) as tables:
        for _ in range(2):
            pieces = list(tables())
            assert max(map(len, pieces)) == 5
            assert pa.concat_tables(pieces)["id"].to_pylist() == [f"o{row}" for row in range(23)]
    assert sorted(tmp_path.iterdir()) == parts


def test_two_processes_on_one_output(stopped, run, images):
    with stopped.work.held("lensnet predict"), pytest.raises(RunError, match="in use by lensnet"):
        score(request(run, images, stopped.output, resume=True))


def test_a_folder_of_somebody_else_is_left_alone(run, images, tmp_path):
    mine = tmp_path / "scores.csv.parts" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("three years of work")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(RunError, match="is not a work folder of lensnet predict"):
            score(request(run, images, tmp_path / "scores.csv", **options))
    assert list(mine.parent.iterdir()) == [mine]


def test_shards_in_any_order_become_one_table(run, images, tmp_path):
    output = tmp_path / "scores.csv"
    with pytest.raises(RunError, match="no work folder .* to merge"):
        merge_scores(output)
    for number in (2, 3):
        score(request(run, images, output, shard=Shard(number, 3)))
    with pytest.raises(RunError, match=r"3 of 7 partitions .* shard 1/3 \(not begun\)"):
        merge_scores(output)
    work = WorkFolder.of(output)
    with work.held_for(Shard(1, 3)), pytest.raises(RunError, match="in use by .*--shard 1/3"):
        score(request(run, images, output, shard=Shard(1, 3)))
    score(request(run, images, output, shard=Shard(1, 3)))
    assert not output.exists()
    with work.held_for(Shard(2, 3)), pytest.raises(RunError, match="in use"):
        merge_scores(output)
    assert merge_scores(output) == NUM_IMAGES - len(BAD)
    check_whole(output)
    with pytest.raises(RunError, match="exists already"):
        score(request(run, images, output, shard=Shard(1, 3)))


def test_nothing_usable_writes_nothing(run, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"")
    with pytest.raises(
        DataError, match="None of the 1 images could be used:\n  .*bad.npy: the file"
    ):
        score(request(run, tmp_path / "bad.npy", tmp_path / "scores.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.npy", "run"]


def test_inputs_that_are_not_there_leave_nothing(run, tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        score(request(run, tmp_path / "gone", tmp_path / "scores.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_requests_that_contradict_themselves(run, tmp_path):
    for options, words in (
        ({"shard": Shard(1, 2), "dask": "local:2"}, "Leave out --shard or --dask"),
        ({"batch_size": 0}, "batch_size is at least 1"),
        ({"uncertainty": "guess"}, "Known: members, rotations, none"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            request(run, tmp_path, tmp_path / "scores.csv", **options)
    with pytest.raises(ConfigurationError, match="is not an ensemble.*--uncertainty rotations"):
        score(request(run, tmp_path, tmp_path / "scores.csv", uncertainty="members"))
    with pytest.raises(ConfigurationError, match="names no Dask workers"):
        score(request(run, tmp_path, tmp_path / "scores.csv", dask="everywhere"))
    for text in ("0/3", "4/3", "3", "a/b"):
        with pytest.raises(ConfigurationError, match="is not a shard"):
            Shard.parse(text)


PROCESS = """
import sys
import time
from pathlib import Path
import brightness_network
from lensnet.prediction.scoring.score_request import ScoredRun, ScoreRequest
from lensnet.prediction.scoring.scoring_files import score
ScoredRun.open = staticmethod(brightness_network.scored_run)
run, images, output = map(Path, sys.argv[1:])
score(ScoreRequest(run, (str(images),), output, batch_size=1, partition_rows=2, resume=True,
                   network="brightness_network:open_slowly"))
"""


def _number_of(pattern, folder):
    return len(list(folder.glob(pattern)))


@pytest.mark.processes
def test_killed_at_any_moment(run, images, tmp_path):
    """By SIGKILL, when it has begun to plan, to score, and to merge; then it comes through."""
    output = tmp_path / "scores.csv"
    work = WorkFolder.of(output).path
    command = [sys.executable, "-c", PROCESS, run, images, output]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    moments = [
        lambda: (work / "lensnet.json").exists(),
        lambda: _number_of("scores-*", work) >= 1,
        lambda: _number_of("scores-*", work) >= 8,
        lambda: _number_of("scores-*", work) == 13 and _number_of(".scores.*.csv", tmp_path) > 0,
    ]
    for has_come in moments:
        process = subprocess.Popen(command, env=environment)
        while not has_come() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not output.exists() or work.exists()
    assert subprocess.run(command, env=environment, check=True).returncode == 0
    check_whole(output)
