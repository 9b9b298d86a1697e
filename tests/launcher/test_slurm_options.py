"""What the slurm spawner is told, and what it makes of a command. tests/deployment has it with a real Slurm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import app, launching
from wslink.errors import UsageError
from wslink.launcher.spawners.slurm import SlurmSpawner, job_name, script

GOOD = [
    {},
    {"partition": "main,gpu", "account": "lab", "qos": "high", "time": 30, "cpus": 4, "memory": 2000, "gpus": 1},
    {"time": "4:00:00", "cpus": "4", "memory": "16G", "gpus": "a100:2", "arguments": ["--nice=10", "-N2"]},
    {"time": "1-12", "partition": "${partition}", "memory": "${memory}", "cpus": "${cpus}"},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"partitoin": "main"}, r"options\.partitoin: nothing is known by this name; is partition meant\?"),
    ({"partition": ""}, r"options\.partition: it must be the partition"),
    ({"partition": ["a"]}, r"options\.partition: it must be the partition"),
    ({"time": "soon"}, r"options\.time: it must be the time limit: minutes, or such as 4:00:00 or 1-12, not 'soon'"),
    ({"cpus": 0}, r"options\.cpus: it must be the number of processors, not 0"),
    ({"memory": "lots"}, r"options\.memory: it must be the memory"),
    ({"gpus": "two of them"}, r"options\.gpus: it must be the number"),
    ({"arguments": "--nice"}, r"options\.arguments: it must be a list"),
    ({"arguments": ["--gres", "gpu:1"]}, r"options\.arguments: it must be a list of more arguments of sbatch, each"),
    ({"arguments": ["--array=1-5"]}, r"options\.arguments: --array=1-5 cannot be had"),
    ({"arguments": ["--comment=${secret}"]}, r"options\.arguments: \$\{secret\} would be shown to everybody"),
    ({"account": "a-${id}"}, r"options\.account: \$\{id\} would be shown to everybody"),
]


@pytest.mark.parametrize("options", GOOD)
def test_options_that_are_right(options: dict[str, Any]) -> None:
    SlurmSpawner.check(options)


@pytest.mark.parametrize(("options", "text"), BAD)
def test_options_that_are_wrong(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}"):
        SlurmSpawner.check(options)


async def test_the_application_is_named(tmp_path: Path) -> None:
    wrong = app("pass", spawner="slurm", options={"time": "soon"})
    with pytest.raises(UsageError, match=r"^apps\.viewer\.options\.time: "):
        async with launching(tmp_path, apps={"viewer": wrong}):
            pass


def test_no_shell_sees_the_arguments() -> None:
    arguments = ["", "it's", '"', "$(id)", "`id`", "a b", "\\", "*", "#SBATCH --hold", "\n#SBATCH --hold\n", "!", "é"]
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    text = script([sys.executable, "-S", "-c", program, *arguments])
    output = subprocess.run(["/bin/sh"], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    assert json.loads(output) == arguments


def test_a_jobs_name_does_not_tell_the_id() -> None:
    names = {job_name(f"an id {number}") for number in range(1000)}
    assert len(names) == 1000
    assert not [name for name in names if "id" in name]


async def test_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with launching(tmp_path, apps={"viewer": app("pass", spawner="slurm")}) as running:
        status, answer = await running.post("viewer")
        assert (status, answer["error"]) == (503, "The process did not properly start: sbatch cannot be run.")
        assert running.free_ports() == 4
