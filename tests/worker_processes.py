"""Processes of one training that find each other on the loopback interface."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["run_workers", "start_workers"]

# Writes the weights of its network into a file, and leaves the measuring out.
WORKER = """
import sys
import tiny_backbone
tiny_backbone.register()
from lensnet.cli import main
from lensnet.cli.startup import start_tensorflow
start_tensorflow()
import numpy as np
import lensnet.cli.results
import lensnet.training.fitting
from lensnet import models
weights, *arguments = sys.argv[1:]
made = []
create = models.create
def creating(*arguments, **options):
    made.append(create(*arguments, **options))
    return made[-1]
# Only the first worker keeps a network: each one is caught where it is made.
models.create = creating
lensnet.training.fitting._measure = lambda *arguments: None
lensnet.cli.results.print_results = lambda *arguments: None
main(arguments)
np.savez(weights, *made[0].get_weights())
"""


def start_workers(
    arguments: Sequence[Sequence[Any]], code: str = WORKER
) -> list[subprocess.Popen[str]]:
    """Starts a process for each list of arguments, the first one of the cluster's first worker."""
    ports = []
    for _ in arguments:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    workers = []
    for index, words in enumerate(arguments):
        described = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(described),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(Path(__file__).parent),
        }
        workers.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
            )
        )
    return workers


def run_workers(
    arguments: Sequence[Sequence[Any]], code: str = WORKER
) -> tuple[list[int], list[str]]:
    """Runs the processes to their end: their exit codes, and what they said."""
    workers = start_workers(arguments, code)
    try:
        outputs = [worker.communicate(timeout=480)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return [worker.returncode for worker in workers], outputs
