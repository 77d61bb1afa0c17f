"""Which process of a cluster this is: told by the environment, before TensorFlow is imported.

`TF_CONFIG` says it, as TensorFlow reads it itself; or Slurm's variables do, in a step that `srun`
has started with a task for each worker.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lensnet.errors import ConfigurationError

__all__ = ["Cluster", "check_cluster", "is_chief"]

# Two jobs of Slurm that share a host are to find different ports.
_FIRST_PORT, _PORTS = 20_000, 10_000


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, and which of them this process is.

    Args:
        addresses: host and port of each, by its job: `worker`, and perhaps `chief`.
        job: of this process.
        index: of this process among those of its job.
    """

    addresses: Mapping[str, tuple[str, ...]]
    job: str
    index: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Cluster:
        """Reads a cluster.

        Args:
            environment: variables of the process.

        Raises:
            ConfigurationError: they describe no cluster, or a wrong one.
        """
        if "TF_CONFIG" in environment:
            return cls._of_tf_config(environment["TF_CONFIG"])
        if "SLURM_PROCID" in environment:
            return cls._of_slurm(environment)
        raise ConfigurationError(
            "training.strategy is multi_worker, which needs the environment variable TF_CONFIG on "
            f"each worker, such as {_EXAMPLE}, or Slurm's srun to start them "
            "(docs/scaling.md). On one machine use auto, one_device or mirrored.",
            key="training.strategy",
        )

    @classmethod
    def _of_tf_config(cls, text: str) -> Cluster:
        try:
            described = json.loads(text)
            addresses = {job: tuple(hosts) for job, hosts in described["cluster"].items()}
            job, index = described["task"]["type"], int(described["task"]["index"])
            # Looked up for the error alone.
            addresses["worker"], addresses[job][index]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise ConfigurationError(
                f"TF_CONFIG is {text!r}, and should be such as {_EXAMPLE}: the addresses of all "
                "workers, the same on each, and which of them this one is.",
                key="training.strategy",
            ) from None
        return cls(addresses, job, index)

    @classmethod
    def _of_slurm(cls, environment: Mapping[str, str]) -> Cluster:
        def of_step(name: str, of_job: str) -> str:
            return environment.get(f"SLURM_STEP_{name}") or environment[f"SLURM_{of_job}"]

        try:
            hosts = expand_hosts(of_step("NODELIST", "JOB_NODELIST"))
            tasks = expand_tasks(of_step("TASKS_PER_NODE", "TASKS_PER_NODE"))
            first = _FIRST_PORT + int(environment.get("SLURM_JOB_ID", "0")) * 8 % _PORTS
            workers = tuple(
                f"{host}:{first + number}"
                for host, count in zip(hosts, tasks, strict=True)
                for number in range(count)
            )
            index = int(environment["SLURM_PROCID"])
            workers[index]
        except (KeyError, ValueError, IndexError) as error:
            raise ConfigurationError(
                "training.strategy is multi_worker, and Slurm's variables do not say who the "
                f"workers are ({error!r}). Start them by srun, a task for each, or set TF_CONFIG.",
                key="training.strategy",
            ) from None
        return cls({"worker": workers}, "worker", index)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes: the first."""
        first = "chief" if self.addresses.get("chief") else "worker"
        return (self.job, self.index) == (first, 0)

    @property
    def size(self) -> int:
        """How many workers there are."""
        return sum(map(len, self.addresses.values()))


_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


def check_cluster() -> Cluster:
    """Checks that this process's environment describes a cluster, and returns it.

    Raises:
        ConfigurationError: it does not.
    """
    return Cluster.of(os.environ)


def is_chief(strategy: str) -> bool:
    """Returns whether this process writes files: the only one, or the first of several workers.

    Args:
        strategy: `training.strategy`.

    Raises:
        ConfigurationError: as `check_cluster`, where the strategy is `multi_worker`.
    """
    return strategy != "multi_worker" or check_cluster().is_chief


def expand_hosts(text: str) -> list[str]:
    """Returns the hosts of Slurm's short form.

    Raises:
        ValueError: it is none.

    >>> expand_hosts("gpu[08-10,12],login")
    ['gpu08', 'gpu09', 'gpu10', 'gpu12', 'login']
    """
    hosts: list[str] = []
    for item in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        found = [""]
        for plain, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", item):
            found = [before + end for before in found for end in _numbers(ranges) or [plain]]
        hosts += found
    return hosts


def _numbers(ranges: str) -> list[str]:
    numbers: list[str] = []
    for each in filter(None, ranges.split(",")):
        low, _, high = each.partition("-")
        numbers += [f"{n:0{len(low)}d}" for n in range(int(low), int(high or low) + 1)]
    return numbers


def expand_tasks(text: str) -> list[int]:
    """Returns how many tasks each host has, of Slurm's short form.

    Raises:
        ValueError: it is none.

    >>> expand_tasks("2(x3),1")
    [2, 2, 2, 1]
    """
    counts: list[int] = []
    for item in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", item)
        if found is None:
            raise ValueError(f"{text!r} does not say how many tasks each host has")
        counts += [int(found[1])] * int(found[2] or 1)
    return counts
