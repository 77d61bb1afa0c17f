"""What is timed, how it is told, and what is refused."""

import csv
import json
import shutil

import pytest

from lensnet.cli import main
from lensnet.export import export_run
from lensnet.export.timing import take_turns


@pytest.fixture
def command(capsys):
    """Runs a command: (exit code, standard output, standard error)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as leave:
            main([str(argument) for argument in arguments])
            raise SystemExit(0)
        return leave.value.code or 0, *capsys.readouterr()

    return run


def test_every_contender_has_its_turns_between_those_of_the_others():
    order = []
    contenders = {name: lambda name=name: order.append(name) for name in "abc"}
    times = take_turns(contenders, rounds=2, seconds=0)
    assert [len(values) for values in times.values()] == [2, 2, 2]
    # Two calls each before anything counts, then there and back.
    assert "".join(order) == "aabbcc" + "abc" + "cba"


def test_a_run_is_timed_as_it_is_folded_and_exported(tiny_run, command, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    export_run(run, "saved_model")
    timed = ("benchmark", run, "--rounds", 2, "--batch-size", 2, "--batch-size", 1)
    code, said, _ = command(*timed, "-o", tmp_path / "speed.json")
    assert code == 0
    found = json.loads((tmp_path / "speed.json").read_text())
    names = ["run", "folded", "export/saved_model"]
    assert [(row["batch_size"], row["model"]) for row in found["timings"]] == [
        (size, name) for size in (1, 2) for name in names
    ]
    for row in found["timings"]:
        assert row["images_per_second"] == pytest.approx(
            1000 * row["batch_size"] / row["milliseconds"]
        )
        assert row["slowest_milliseconds"] >= row["milliseconds"] > 0
        assert row["times_faster"] == 1 if row["model"] == "run" else row["times_faster"] > 0
    assert found["environment"]["processors_available"] >= 1
    assert "export/saved_model" in said and "times faster" in said
    (run / "export" / "saved_model" / "lensnet.json").write_text(
        json.dumps({"kind": "export", "input": {}, "classes": [], "experiment": "old"})
    )
    code, said, err = command(*timed, "-o", tmp_path / "speed.csv")
    assert code == 0 and "earlier version" in err and "No export is there" in said
    with (tmp_path / "speed.csv").open(newline="") as stream:
        assert [row["model"] for row in csv.DictReader(stream)] == ["run", "folded"] * 2


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("speed.txt", None, [], "ends with neither .csv nor .json"),
        ("none/speed.csv", None, [], "There is no folder"),
        ("speed.csv", "a,b\n", [], "exists already"),
        ("speed.csv", "a,b\n", ["--overwrite"], "is not a table that lensnet has written"),
        ("speed.json", "{}", ["--overwrite"], "is not a benchmark that lensnet has written"),
    ],
)
def test_an_output_that_cannot_be_written(
    name, content, options, message, tiny_run, command, tmp_path
):
    if content is not None:
        (tmp_path / name).write_text(content)
    code, _, err = command("benchmark", tiny_run, "-o", tmp_path / name, *options)
    assert code == 2 and message in err
    assert content is None or (tmp_path / name).read_text() == content
