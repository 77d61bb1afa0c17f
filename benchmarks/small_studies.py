"""The questions of experiments/small: every row fitted, measured and written down, over days.

python benchmarks/small_studies.py --work DIRECTORY [--only symmetry/model_i] [--seeds 0 1 2]
                                   [--budget MINUTES] [--jobs 1] [--files rotated_mnist=mnist.npz]

Each row is fitted by `lensnet fit`, in a run folder below --work, and measured in a process of its
own. What is done is written to benchmarks/results/small_QUESTION.json at once, and not done again;
a training that was stopped, by --budget, Ctrl-C or a kill, goes on by the same command. The rows
that tell most for their cost come first, so that any budget gives a table. --files names the user's
files: model_i_original, rotated_mnist, sled_ps1; what needs one that is not named is left out.
docs/results.md is made of the results by benchmarks/results_page.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from command_line import RESULTS, benchmark_parser, selected
from processes import ProcessFailed, Server, script
from reporting import Table
from small_results import QuestionResults, committees_of
from small_study_files import ROOT, STUDIES, Row, Study, studies

from lensnet.locking import hold

SMOKE_EXAMPLES = {
    "lens_finding/simulated": {"examples_per_class": 20, "nonlenses": 220},
    "deeplense_substructure/simulated": {"examples_per_class": 40},
    "halo_mass/simulated": {"examples": 40},
}
"""Of the test sets of a smoke run."""


@dataclass(frozen=True)
class Cell:
    """A row at a seed."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        return f"{self.row.study.name}/{self.row.name}/seed-{self.seed}"


class Stopped(Exception):
    """The budget is spent, or the process was asked to end."""


class Trainings:
    """The trainings that are running, so that they can be asked to stop all together."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def stop(self, *_: Any) -> None:
        """Asks all to stop: each writes a checkpoint, from which the next call goes on."""
        self.stopping.set()
        for process in list(self._running):
            process.terminate()

    def wait(self, process: subprocess.Popen[bytes], seconds: float | None) -> int:
        """Waits for one, at most so long, and returns its exit code.

        Raises:
            Stopped: the time is over, or all were asked to stop.
        """
        with self._lock:
            self._running.add(process)
        if self.stopping.is_set():
            process.terminate()
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            process.wait()
            raise Stopped from None
        finally:
            with self._lock:
                self._running.discard(process)
        if code and self.stopping.is_set():
            raise Stopped
        return code


@dataclass(frozen=True)
class Driver:
    """Runs cells.

    Args:
        work: where records, runs, logs and scores go, and stay.
        files: the user's, by name.
        results: of each question.
        deadline: by `time.monotonic()`; None for none.
        jobs: how many cells are worked on at once.
        smoke: tiny versions.
        trainings: those that are running.
    """

    work: Path
    files: dict[str, str]
    results: dict[str, QuestionResults]
    deadline: float | None
    jobs: int
    smoke: bool
    trainings: Trainings

    def run(self, cell: Cell) -> dict[str, Any] | None:
        """Fits and measures a cell, and returns what is written down of it; None if it failed."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        if late or self.trainings.stopping.is_set():
            raise Stopped
        try:
            found = self._invariance(cell) if cell.row.recipe is None else self._fit(cell)
        except ProcessFailed as error:
            print(f"Left out: {error}", file=sys.stderr, flush=True)
            return None
        row = {
            "row": cell.row.name,
            "seed": cell.seed,
            "command": cell.row.command(cell.seed),
            **found,
            **({"smoke": True} if self.smoke else {}),
            "date": time.strftime("%Y-%m-%d"),
            "load_average": round(os.getloadavg()[1], 1),
        }
        self.results[cell.row.study.name].add(row)
        return row

    def missing_file(self, row: Row) -> str | None:
        """What `--files` must name for the row."""
        needed = row.table.files
        return needed if needed is not None and needed not in self.files else None

    def _fit(self, cell: Cell) -> dict[str, Any]:
        """Fits a row as anybody would, and measures it."""
        row, run = cell.row, self.work / "runs" / cell.name
        sets = [*row.settings(cell.seed), f"data.data_dir={self.work / 'records'}"]
        if row.table.files:
            sets.append(f"data.source_dir={self.files[row.table.files]}")
        if self.smoke:
            sets += row.table.smoke
        command = [sys.executable, "-m", "lensnet", "fit", str(row.recipe)]
        command += [word for key in sets for word in ("--set", key)]
        self._finish([*command, "--run-dir", str(run), "--resume"], cell.name)
        table = row.table
        tests = {name: path for name in table.tests if (path := self._test(name))}
        scores = None
        if table.keep_scores:
            scores = [table.judged_by, str(scores_file(self.work, cell))]
        real = self.files.get(table.recovered.files) if table.recovered else None
        return self._ask(
            cell,
            run=str(run),
            tests=tests,
            scores=scores,
            recovered=table.recovered.model_dump() if table.recovered and real else None,
            real=real,
        )

    def _invariance(self, cell: Cell) -> dict[str, Any]:
        smoke = cell.row.table.smoke if self.smoke else []
        return self._ask(
            cell,
            settings=[*cell.row.overrides, *smoke],
            seed=cell.seed,
            cache=str(self.work / "records" / "invariance"),
        )

    def _ask(self, cell: Cell, **request: Any) -> dict[str, Any]:
        command = [sys.executable, script("small_measurements.py")]
        server = Server(cell.name, command, self._environment())
        try:
            return server.ask(**request)
        finally:
            server.close()

    def _finish(self, command: Sequence[str], name: str) -> None:
        """Waits for a command, which is asked to stop when the budget is spent.

        Raises:
            Stopped: it was.
            ProcessFailed: it ended with an error; the log has it all.
        """
        log = self.work / "logs" / f"{name.replace('/', '-')}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        left = None if self.deadline is None else max(1.0, self.deadline - time.monotonic())
        environment = {**os.environ, **self._environment()}
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
            )
            code = self.trainings.wait(process, left)
        if code:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-6:]
            shown = "".join(f"\n    {line}" for line in lines)
            raise ProcessFailed(f"{name}: lensnet fit ended with status {code}; {log}:{shown}")

    def _environment(self) -> dict[str, str]:
        """Threads for each of the jobs."""
        if self.jobs == 1:
            return {}
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return {"TF_NUM_INTRAOP_THREADS": str(max(1, (cpus or 1) // self.jobs))}

    def _test(self, name: str) -> str | None:
        """A test set's file with the places of this machine; None if it needs files not named."""
        source = STUDIES / "tests" / f"{name}.yaml"
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        data: dict[str, Any] = {"data_dir": str(self.work.absolute() / "records")}
        if "source_dir" in content["data"]:
            if name not in self.files:
                return None
            data["source_dir"] = self.files[name]
        elif self.smoke:
            asked = content["data"]["options"]
            tiny = SMOKE_EXAMPLES[content["data"]["dataset"]]
            data["options"] = {key: count for key, count in tiny.items() if key in asked}
        path = self.work / "tests" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"base": str(source), "name": name, "data": data}))
        return str(path)


def scores_file(work: Path, cell: Cell) -> Path:
    """Where the scores of a member of committees are kept."""
    return work / "scores" / f"{cell.name}.npz"


def cells_of(found: Sequence[Study], seeds: list[int] | None, smoke: bool) -> list[Cell]:
    """All cells, the most telling first.

    Rows of the first products of all questions come before those of the second; within one, every
    seed of a row is followed by the same seed of the next, so that rows can be compared soon.
    """
    cells = []
    for order, study in enumerate(found):
        for place, row in enumerate(study.rows(smoke)):
            for seed in seeds if seeds is not None else [0] if smoke else row.table.seeds:
                cells.append(((row.rank, order, seed, place), Cell(row, seed)))
    return [cell for _, cell in sorted(cells, key=lambda pair: pair[0])]


def work_through(driver: Driver, cells: Sequence[Cell]) -> None:
    """Runs what is not done yet, several at once, and prints a line for each."""
    table = Table({"row": 50, "accuracy": 9, "AUC": 9, "minutes": 8})
    lock = threading.Lock()

    def one(cell: Cell) -> bool:
        """Returns whether it was come to."""
        needed = driver.missing_file(cell.row)
        if needed:
            print(f"{cell.name} is left out: it needs --files {needed}=PATH", file=sys.stderr)
            return True
        try:
            row = driver.run(cell)
        except Stopped:
            return False
        if row is not None:
            judged = row["tests"].get(cell.row.table.judged_by, {})
            minutes = row.get("training_seconds", 0.0) / 60
            with lock:
                table.add(cell.name, judged.get("accuracy"), judged.get("roc_auc"), minutes)
        return True

    with ThreadPoolExecutor(driver.jobs) as pool:
        reached = sum(pool.map(one, cells))
    if reached < len(cells):
        print(f"{len(cells) - reached} rows are left. The same command goes on.", flush=True)


def measure_committees(study: Study, results: QuestionResults, work: Path, cells: Any) -> None:
    """Measures the committees that the kept scores of a study's runs make."""
    (axis, *_) = study.axes
    paths = {
        (cell.row.values[axis], cell.seed): path
        for cell in cells
        if (path := scores_file(work, cell)).is_file()
    }
    if study.committees is not None and paths:
        results.set_committees(committees_of(paths, study.committees.sizes))


def main() -> None:
    parser = benchmark_parser(__doc__, "", 1)
    parser.add_argument("--work", type=Path, help="where records and run folders go, and stay")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: as the studies say")
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="when to stop; default: no")
    parser.add_argument("--jobs", type=int, default=1, help="rows at once, in processes; default 1")
    parser.add_argument("--files", nargs="+", default=[], metavar="NAME=PATH", help="your files")
    parser.add_argument("--smoke", action="store_true", help="a tiny version of each table's first")
    arguments = parser.parse_args()
    found = studies()
    cells = cells_of(found, arguments.seeds, arguments.smoke)
    asked = set(selected([cell.name for cell in cells], arguments))
    if arguments.work is None:
        parser.error("--work is needed")
    work, folder = arguments.work.absolute(), arguments.output
    if arguments.smoke:
        # Beside what is meant in earnest.
        work = work / "smoke"
        folder = work / "results" if folder == RESULTS else folder
    files = {}
    for text in arguments.files:
        name, equals, path = text.partition("=")
        if not equals:
            parser.error(f"--files takes NAME=PATH; got {text}")
        files[name] = str(Path(path).absolute())
    places = {
        str(arguments.work): "DIR",
        **{text: f"{text.partition('=')[0]}=PATH" for text in arguments.files},
    }
    results = {study.name: QuestionResults(folder, study, places) for study in found}
    deadline = None
    if arguments.budget is not None:
        deadline = time.monotonic() + 60 * arguments.budget
    trainings = Trainings()
    signal.signal(signal.SIGTERM, trainings.stop)
    signal.signal(signal.SIGINT, trainings.stop)
    driver = Driver(work, files, results, deadline, arguments.jobs, arguments.smoke, trainings)
    left = [
        cell
        for cell in cells
        if cell.name in asked and not results[cell.row.study.name].has(cell.row.name, cell.seed)
    ]
    # Two of these would write the same result files: each row is known to one of them alone.
    with hold(folder, "benchmarks/small_studies.py"):
        work_through(driver, left)
        for study in found:
            if study.committees is not None:
                of_study = [cell for cell in cells if cell.row.study.name == study.name]
                measure_committees(study, results[study.name], work, of_study)


if __name__ == "__main__":
    main()
