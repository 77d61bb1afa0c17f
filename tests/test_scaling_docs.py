"""The scripts of docs/scaling.md are ones that their tools take."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lensnet.training.cluster import Cluster

TEXT = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text(encoding="utf-8")


def block(heading, language):
    section = TEXT.partition(f"## {heading}\n")[2]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture
def slurm(tmp_path):
    path = tmp_path / "job.sh"
    path.write_text(block("Slurm", "bash"))
    return path


def test_the_slurm_script_is_bash(slurm):
    subprocess.run(["bash", "-n", slurm], check=True)
    options = re.findall(r"^#SBATCH --([a-z-]+)=?(\S*)$", slurm.read_text(), re.MULTILINE)
    assert {"nodes", "ntasks-per-node", "signal", "requeue", "time"} <= {
        name for name, _ in options
    }
    assert slurm.read_text().count("#SBATCH") == len(options)


@pytest.mark.skipif(not shutil.which("sbatch"), reason="needs Slurm")
def test_slurm_takes_its_script(slurm):
    subprocess.run(["sbatch", "--test-only", slurm], check=True)


def manifest():
    return list(yaml.safe_load_all(block("Kubernetes", "yaml")))


def test_the_manifest_is_an_indexed_job_whose_pods_find_each_other():
    service, job = manifest()
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert pod["subdomain"] == service["metadata"]["name"]
    assert pod["restartPolicy"] == "OnFailure"
    (container,) = pod["containers"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_each_pod_makes_its_part_of_the_cluster():
    """Its command, with another program in the place of lensnet."""
    _, job = manifest()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    script = re.sub(r"exec lensnet .*", "printenv TF_CONFIG", script, flags=re.DOTALL)
    for index in range(job["spec"]["completions"]):
        done = subprocess.run(
            [*container["command"], script],
            env={"PATH": "/usr/bin:/bin", "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        cluster = Cluster.of({"TF_CONFIG": done.stdout})
        assert (cluster.index, cluster.size) == (index, job["spec"]["completions"])
        name = job["metadata"]["name"]
        port = container["ports"][0]["containerPort"]
        assert cluster.addresses["worker"][index] == f"{name}-{index}.{name}:{port}"
        assert json.loads(done.stdout)["task"]["type"] == "worker"


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_kubernetes_knows_every_key_of_the_job(tmp_path):
    """kubectl's own reading of it, which needs no cluster, leaves out what it does not know."""
    _, job = manifest()
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    command = ["kubectl", "set", "env", "--local", "-f", path, "MORE=1", "-o", "yaml"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert missing(job, yaml.safe_load(done.stdout)) == []


def missing(given, read, at=""):
    if isinstance(given, dict):
        return [
            lost
            for key, value in given.items()
            for lost in ([f"{at}.{key}"] if key not in read else missing(value, read[key], key))
        ]
    if isinstance(given, list):
        return [
            lost for one, other in zip(given, read, strict=True) for lost in missing(one, other, at)
        ]
    return []
