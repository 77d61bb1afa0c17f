import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from search_formula import SEARCH

# The others import it; this one says that it is missing.
collect_ignore_glob = [] if find_spec("optuna") else ["test_[!e]*.py"]


@pytest.fixture
def plan(tmp_path):
    """Reads a search of a formula, with some of its keys set."""
    from lensnet.config.search import load_search

    def plan(*overrides):
        path = tmp_path / "search.yaml"
        path.write_text(SEARCH)
        return load_search(path, overrides)

    return plan


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server that runs as long as the tests do."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = [shutil.which("pg_ctl"), *map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))]
    control = next(filter(None, found), None)
    if control is None:
        pytest.skip("there is no pg_ctl: apt-get install postgresql")
    programs = Path(control).resolve().parent
    # The server refuses to be run by root, and a socket's path must be short.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    shutil.chown(folder, user)

    def run(program, *arguments):
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout

    try:
        run("initdb", "-U", "lensnet", "-A", "trust", "--no-sync")
        # No port: a socket in its own folder alone.
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://lensnet@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
