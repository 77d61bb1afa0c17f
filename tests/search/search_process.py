"""One process of a search whose trials are a formula, for tests that kill it.

A trial takes a while, keeps the epochs it has reached in its own folder as a run does, and writes
what it does into a log that all processes share. It begins once so many processes are ready:
`python search_process.py SEARCH FOLDER LOG READY`.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from search_formula import value_of  # noqa: E402

from lensnet.config.search import load_search  # noqa: E402
from lensnet.search import search  # noqa: E402

SEARCH_FILE, FOLDER, LOG, READY = sys.argv[1:]


def note(*words):
    with open(LOG, "a") as stream:
        stream.write(" ".join(map(str, (os.getpid(), *words))) + "\n")


def slowly(experiment, run_dir, objectives, report):
    run_dir.mkdir(parents=True, exist_ok=True)
    value, kept = value_of(experiment), run_dir / "epochs"
    done = int(kept.read_text()) if kept.exists() else 0
    note("begin", run_dir.name, done)
    for epoch in range(1, experiment.training.epochs + 1):
        if epoch > done:
            time.sleep(0.02)
            note("epoch", run_dir.name, epoch)
            temporary = run_dir / "new"
            temporary.write_text(str(epoch))
            temporary.replace(kept)
        report(epoch, value * (1 - 0.5**epoch))
    note("end", run_dir.name, value)
    return [value, experiment.model.head.dropout][: len(objectives)]


note("ready", 0, 0)
while Path(LOG).read_text().count(" ready ") < int(READY):
    time.sleep(0.01)
search(load_search(SEARCH_FILE), FOLDER, resume=True, objective=slowly)
