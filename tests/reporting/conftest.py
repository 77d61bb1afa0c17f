import pytest
from report_runs import write_finished_run


@pytest.fixture
def run(tmp_path):
    """A finished run of three classes, one of them with an evil name."""
    return write_finished_run(tmp_path / "run")
