"""Who the workers are, by the environment of one of them."""

import json

import pytest

from lensnet.errors import ConfigurationError
from lensnet.training.cluster import Cluster, expand_hosts

SLURM = {
    "SLURM_JOB_ID": "1234",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NODELIST": "gpu[07-08],big",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    # Of the whole job, of which the step has a part.
    "SLURM_JOB_NODELIST": "gpu[07-12],big",
    "SLURM_TASKS_PER_NODE": "2(x6),1",
}


def test_a_step_of_slurm():
    cluster = Cluster.of(SLURM)
    hosts = ["gpu07", "gpu07", "gpu08", "gpu08", "big"]
    addresses = [address.split(":") for address in cluster.addresses["worker"]]
    assert [host for host, _ in addresses] == hosts
    ports = [int(port) for _, port in addresses]
    assert ports[0] != ports[1] and ports[:2] == ports[2:4]
    assert all(1024 < port < 32768 for port in ports), "above those that the system gives away"
    assert (cluster.job, cluster.index, cluster.is_chief, cluster.size) == ("worker", 3, False, 5)
    assert Cluster.of({**SLURM, "SLURM_PROCID": "0"}).is_chief
    assert Cluster.of({**SLURM, "SLURM_JOB_ID": "1235"}).addresses != cluster.addresses


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("node1", ["node1"]),
        ("a[1-2]b,c", ["a1b", "a2b", "c"]),
        ("r[1-2]n[09-10]", ["r1n09", "r1n10", "r2n09", "r2n10"]),
        ("n[2,4-5]", ["n2", "n4", "n5"]),
    ],
)
def test_hosts_in_slurms_short_form(text, hosts):
    assert expand_hosts(text) == hosts


@pytest.mark.parametrize(
    "wrong",
    [
        {"SLURM_STEP_TASKS_PER_NODE": "2"},
        {"SLURM_STEP_TASKS_PER_NODE": "two"},
        {"SLURM_PROCID": "5"},
        {"SLURM_STEP_NODELIST": "gpu[a-b],x,y"},
    ],
)
def test_what_slurm_does_not_say(wrong):
    with pytest.raises(ConfigurationError, match="do not say who the workers are"):
        Cluster.of({**SLURM, **wrong})


def tf_config(index=0, job="worker", **jobs):
    jobs = jobs or {"worker": ["one:1", "two:1"]}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": job, "index": index}})}


def test_a_cluster_of_tf_config():
    assert Cluster.of({**SLURM, **tf_config()}).is_chief, "it comes before Slurm's"
    second = Cluster.of(tf_config(index="1"))
    assert (second.index, second.is_chief, second.size) == (1, False, 2)
    jobs = {"chief": ["zero:1"], "worker": ["one:1"]}
    assert Cluster.of(tf_config(job="chief", **jobs)).is_chief
    assert not Cluster.of(tf_config(**jobs)).is_chief


@pytest.mark.parametrize(
    "environment",
    [tf_config(index=2), tf_config(chief=["zero:1"]), {"TF_CONFIG": "{"}, {"TF_CONFIG": "[1]"}],
)
def test_a_wrong_tf_config(environment):
    with pytest.raises(ConfigurationError, match="TF_CONFIG is .* should be such as"):
        Cluster.of(environment)


def test_no_cluster():
    with pytest.raises(
        ConfigurationError, match=r"TF_CONFIG on each worker, .* or Slurm's srun"
    ) as caught:
        Cluster.of({})
    assert caught.value.key == "training.strategy"
