"""What `lensnet predict` understands, and what it says of what it does not."""

import shlex

import pytest
from click.testing import CliRunner

from lensnet.cli import predict
from lensnet.errors import RunError
from lensnet.prediction.scoring import scoring_files


@pytest.fixture
def asked(monkeypatch):
    """The requests that commands made."""
    requests = []
    monkeypatch.setattr(
        scoring_files, "score", lambda request, start_network: requests.append(request)
    )
    return requests


def run(*words):
    return CliRunner().invoke(predict.command, list(map(str, words)))


def test_options_become_a_request(asked):
    done = run(
        "runs/x", "a.npy", "b/*.fits", "--list", "more.txt", "-o", "s.fits", "--batch-size", 32,
        "--uncertainty", "rotations", "--shard", "3/16", "--partition-rows", 100, "--ra-column",
        "ALPHA", "--mosaics", "tiles/{band}.fits", "--bands", "g, r", "--size", "16arcsec",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (request,) = asked
    assert request.inputs == ("a.npy", "b/*.fits", "@more.txt")
    assert (request.batch_size, request.partition_rows) == (32, 100)
    assert (str(request.shard), request.uncertainty) == ("3/16", "rotations")
    options = request.options
    assert (options.ra_column, options.bands, options.size.arcsec) == ("ALPHA", ("g", "r"), 16)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "s.csv"], "Missing argument 'RUN'"),
        (["runs/x", "-o", "s.csv"], "Missing argument 'INPUTS...'"),
        (["runs/x", "a.npy"], "Missing option '-o'"),
        (["-o", "s.csv", "--merge", "--shard", "1/2"], "--merge scores nothing"),
        (["runs/x", "a.npy", "-o", "s.csv", "--batch-size", "0"], "is not auto or a number"),
        (["runs/x", "a.npy", "-o", "s.csv", "--uncertainty", "x"], "'members', 'rotations'"),
    ],
)
def test_what_is_missing_or_contradicts_itself(asked, words, said):
    done = run(*words)
    assert done.exit_code == 2 and said in done.output and not asked


def test_the_command_that_goes_on_means_the_same(asked):
    """Word by word, as a shell reads it."""
    first = ["runs/a b", "x'y.npy", "-o", "s.csv", "--mosaics", "t*.fits", "--size", "64"]
    run(*first, "--file-column", "g", "--file-column", "r", "--id-column", "N")
    run(*shlex.split(asked[0].command())[2:])
    one, other = asked
    assert other.resume and not one.resume
    for name in ("run", "inputs", "output", "options", "batch_size", "uncertainty"):
        assert getattr(one, name) == getattr(other, name)


def test_there_is_nothing_to_merge(tmp_path):
    done = run("-o", tmp_path / "s.csv", "--merge")
    assert isinstance(done.exception, RunError) and "no work folder" in str(done.exception)
    assert not list(tmp_path.iterdir())
