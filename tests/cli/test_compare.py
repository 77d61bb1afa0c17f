"""`lensnet compare` on the terminal, where names are what users gave them."""

import pytest
from run_folders import EVIL, write_run

from lensnet.cli import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / name, seed) for seed, name in enumerate(("one", EVIL))]


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as leave:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return leave.value.code or 0, said.out, said.err


def test_compare(runs, tmp_path, capsys):
    page = tmp_path / "page.html"
    main(["compare", *map(str, runs), "-o", str(page)])
    out = capsys.readouterr().out
    assert "DeLong" in out and "McNemar, exact" in out and f"Page: {page}" in out
    # Neither a terminal nor what reads its output is led astray by a mark of direction.
    assert "\u202e" not in out and "\\u202e=cmd()" in out
    assert page.is_file()


def test_what_is_refused(runs, tmp_path, capsys):
    code, _, err = command(capsys, "compare", runs[0])
    assert code == 2 and "two runs or more" in err
    code, _, err = command(capsys, "compare", *runs, "-o", tmp_path / "page.txt")
    assert code == 2 and "ends with .html" in err
    code, _, err = command(capsys, "compare", runs[0], tmp_path / "nowhere")
    assert code == 2 and "does not exist" in err
