"""How fast a run's model answers: as it is loaded, folded, and exported."""

from __future__ import annotations

import dataclasses
import logging
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet import onednn
from lensnet.data.cpus import available_cpus
from lensnet.errors import LensnetError
from lensnet.export.exporting import open_export
from lensnet.export.formats import FORMATS
from lensnet.export.images import made_up
from lensnet.export.timing import take_turns
from lensnet.layers import fold
from lensnet.overwriting import EXPORT, MARK
from lensnet.prediction.predictor import Predictor
from lensnet.progress import track
from lensnet.run_documents import read_json

__all__ = ["Benchmark", "Timing", "benchmark_run"]

_log = logging.getLogger(__name__)

_BASELINE = "run"


@dataclass(frozen=True)
class Timing:
    """How long one of the contenders takes for a batch, from raw images to outputs.

    Args:
        model: `run`, `folded`, or the folder of an export.
        batch_size: images in the batch.
        milliseconds: for the batch, the median of the turns.
        slowest_milliseconds: of the turns.
        images_per_second: by the median.
        times_faster: than the run's model in the turn beside it, the median of the turns.
    """

    model: str
    batch_size: int
    milliseconds: float
    slowest_milliseconds: float
    images_per_second: float
    times_faster: float


@dataclass(frozen=True)
class Benchmark:
    """All timings, and on what they were made.

    Args:
        environment: the machine, threads and versions, as plain values.
        timings: by batch size, and in it by contender.
        left_out: exports that could not be opened, and why.
    """

    environment: dict[str, Any]
    timings: tuple[Timing, ...]
    left_out: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values."""
        return {
            "environment": self.environment,
            "timings": [dataclasses.asdict(timing) for timing in self.timings],
            "left_out": self.left_out,
        }


def benchmark_run(
    run_dir: str | Path,
    batch_sizes: Sequence[int] = (1, 8, 64),
    *,
    rounds: int = 10,
    seconds: float = 0.2,
) -> Benchmark:
    """Times a run's model as it is loaded (`lensnet predict` uses it so), folded, and exported.

    All are given the same raw images, preprocess them, and answer with NumPy arrays. They take
    turns. The exports are those in the folder `export` of the run.

    Args:
        run_dir: the run folder.
        batch_sizes: how many images are answered at once.
        rounds: turns that each has.
        seconds: how long a turn is to take; it is one call at least.

    Raises:
        RunError: there is no such run, or it has no model yet.
    """
    environment = _environment()  # with the load that is not ours
    predictor = Predictor.open(run_dir)
    contenders: dict[str, Callable[[np.ndarray], np.ndarray]] = {_BASELINE: predictor}
    left_out = {}
    try:
        contenders["folded"] = dataclasses.replace(predictor, model=fold(predictor.model))
    except ValueError as error:
        left_out["folded"] = str(error)
    for folder, mark in _exports(Path(run_dir)):
        try:
            contenders[f"export/{folder.name}"] = open_export(folder, mark)
        except LensnetError as error:
            left_out[f"export/{folder.name}"] = str(error)
    timings: list[Timing] = []
    for batch_size in track(sorted(set(batch_sizes)), "Timing batch sizes"):
        images = made_up(predictor.preprocessing, batch_size)
        calls = {name: _call(function, images) for name, function in contenders.items()}
        times = take_turns(calls, rounds=rounds, seconds=seconds)
        timings += [_timing(name, batch_size, times) for name in contenders]
    return Benchmark(environment, tuple(timings), left_out)


def _call(
    function: Callable[[np.ndarray], np.ndarray], images: np.ndarray
) -> Callable[[], np.ndarray]:
    return lambda: function(images)


def _timing(name: str, batch_size: int, times: dict[str, list[float]]) -> Timing:
    median = statistics.median(times[name])
    ratios = (run / own for run, own in zip(times[_BASELINE], times[name], strict=True))
    return Timing(
        model=name,
        batch_size=batch_size,
        milliseconds=1e3 * median,
        slowest_milliseconds=1e3 * max(times[name]),
        images_per_second=batch_size / median,
        times_faster=statistics.median(ratios),
    )


def _exports(run_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yields the exports in a run folder, with what their marks hold."""
    for folder in sorted((run_dir / "export").glob("*/")):
        if not (folder / MARK).is_file() or not EXPORT.is_marked(folder):
            continue
        mark = read_json(folder / MARK)
        if mark.get("format") in FORMATS and "outputs" in mark:
            yield folder, mark
        else:
            _log.info("%s was made by an earlier version, and is not timed.", folder)


def _environment() -> dict[str, Any]:
    """What the speed depends on."""
    import keras
    import tensorflow as tf

    threading = tf.config.threading
    return {
        "processor": _processor(),
        "processors_available": available_cpus(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "vector_extensions": onednn.vector_extensions(),
        onednn.VARIABLE: os.environ.get(onednn.VARIABLE),
        "devices": [device.device_type for device in tf.config.list_logical_devices()],
        # 0 stands for as many as there are processors.
        "intra_op_threads": threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": threading.get_inter_op_parallelism_threads(),
        "litert_threads": available_cpus(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "platform": platform.platform(),
    }


def _processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
