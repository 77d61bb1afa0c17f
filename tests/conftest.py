"""What every test shares: quiet backends, and no network."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_backbone

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

if os.environ.get("LENSNET_BLOCK_TENSORFLOW"):
    # Levels 0 to 2 must not need TensorFlow: with this, importing it fails.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases",
        type=int,
        metavar="N",
        help="run at most N cases of each parametrised test, from its first to its last; for "
        "another backend, which computes the same by the same code",
    )


# A file of these takes long, and one that began last would keep a single process busy at the end.
_LONG = ("training", "ensembling", "models", "exploration", "evaluation")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.relative_to(Path(__file__).parent).parts[0] not in _LONG)
    most = config.getoption("--cases")
    if most is None:
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept: set[pytest.Item] = set()
    for of_test in cases.values():
        number = min(most, len(of_test))
        step = (len(of_test) - 1) / max(number - 1, 1)
        kept.update(of_test[round(at * step)] for at in range(number))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leaves what the imports have made, millions of objects, out of the search for garbage."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


_tests_done = itertools.count(1)
TESTS_BETWEEN_CLEARINGS = 40


@pytest.fixture(autouse=True)
def _forget_compiled_functions() -> Iterator[None]:
    """Frees what JAX has compiled now and then.

    Each compiled function maps memory, and Linux gives a process 65,530 maps: after some two
    thousand tests the compiler ends the process with a segmentation fault.
    """
    yield
    if "jax" in sys.modules and next(_tests_done) % TESTS_BETWEEN_CLEARINGS == 0:
        sys.modules["jax"].clear_caches()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that would download something."""

    def refuse(self: socket.socket, address: object) -> None:
        raise AssertionError(f"A test tried to connect to {address}.")

    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if self.family == socket.AF_UNIX or host in ("127.0.0.1", "::1", "localhost"):
            connect(self, address)  # type: ignore[arg-type]
        else:
            refuse(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture
def default_signals() -> Iterator[dict[signal.Signals, object]]:
    """SIGINT and SIGTERM as a process in the foreground has them, however these tests run."""
    ours = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    yield dict(ours)
    for number, handler in before.items():
        signal.signal(number, handler)


def _leave_layout_out(patch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    patch.setattr(ConstrainedLayoutEngine, "execute", lambda self, figure: None)
    # A figure is drawn before its drawing for nothing but its layout.
    patch.setattr(Figure, "draw_without_rendering", lambda self: None)


@pytest.fixture(scope="session", autouse=True)
def _figures_are_not_laid_out() -> Iterator[pytest.MonkeyPatch]:
    """Leaves out what is the longer part of drawing, and a quarter of a tiny run's time."""
    with pytest.MonkeyPatch.context() as patch:
        _leave_layout_out(patch)
        yield patch


@pytest.fixture(scope="module")
def laid_out(_figures_are_not_laid_out: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests that look at figures: they are laid out as users see them."""
    _figures_are_not_laid_out.undo()
    yield
    _leave_layout_out(_figures_are_not_laid_out)


@pytest.fixture(scope="session", autouse=True)
def _tiny_backbone() -> None:
    """Lets experiments of tests name the backbone `tiny`."""
    tiny_backbone.register()


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty images of 32 pixels in two classes."""
    from lens_images import write_folder

    return write_folder(tmp_path_factory.mktemp("images") / "folder")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's prepared records go."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="session")
def tiny_run(image_folder: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that tests may read and must not change."""
    from lens_images import experiment_on

    from lensnet.config import Experiment
    from lensnet.training import fit

    experiment = Experiment.model_validate(experiment_on(image_folder, data_dir))
    return fit(experiment, tmp_path_factory.mktemp("runs") / "tiny").path
