"""A Slurm of this machine's: munged, slurmctld and slurmd as processes of the test's own, in a directory."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deployment.servers import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
CPUS = 4

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
KillWait=2
# Commands give up after so many seconds where nobody answers.
MessageTimeout=2
# The node has as many processors as it says here; what they are called is no name that can be looked up.
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=node1 Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """A cluster of one node.

    Attributes:
        directory: its files. `SLURM_CONF` has to name `configuration` for whoever uses it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "slurm.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.directory.chmod(0o755)  # munged wants that
        for name in ("state", "spool"):
            (self.directory / name).mkdir()
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self.configuration.write_text(
            CONFIGURATION.format(
                directory=self.directory,
                host=socket.gethostname().split(".")[0],
                user=getpass.getuser(),
                ctld_port=free_port(),
                slurmd_port=free_port(),
                cpus=CPUS,
            )
        )
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._run("munged", "--foreground", "--force", *(f"--{k}={self.directory}/munge.{v}" for k, v in files.items()))
        until(lambda: (self.directory / "munge.socket").exists())
        self.start_controller()
        self._run("slurmd", "-D", "-N", "node1")
        until(lambda: "idle" in self.ask("sinfo", "--noheader"))

    def start_controller(self) -> None:
        self._run("slurmctld", "-D")

    @contextmanager
    def without_controller(self) -> Iterator[None]:
        """Nobody answers Slurm's commands while the block runs."""
        self._end("slurmctld")
        try:
            yield
        finally:
            self.start_controller()

    @contextmanager
    def slow_controller(self) -> Iterator[None]:
        """Slurm's commands wait for an answer while the block runs."""
        process = self._processes["slurmctld"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if "slurmd" in self._processes:
            self.clear()
        for name in reversed(list(self._processes)):
            self._end(name)

    def clear(self) -> None:
        """End every job."""
        self.ask("scancel", "--me")
        until(lambda: not self.ask("squeue", "--noheader"))

    def ask(self, *command: str, given: str = "") -> str:
        """What a command of Slurm's writes, errors included."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        done = subprocess.run(
            command, env=environment, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.stdout

    def submit(self, *arguments: str) -> str:
        """Submit a job that sleeps; its number."""
        sleep = "#!/bin/sh\nexec sleep 600\n"
        number = self.ask("sbatch", "--parsable", "--output=/dev/null", *arguments, given=sleep).strip()
        assert number.isdigit(), number
        return number

    def names(self) -> list[str]:
        """The names of the jobs that wait or run."""
        return self.ask("squeue", "--noheader", "--format=%j").split()

    def _run(self, name: str, *arguments: str) -> None:
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        program = shutil.which(name) or f"/usr/sbin/{name}"
        with open(self.directory / f"{name}.out", "ab") as output:
            self._processes[name] = subprocess.Popen(
                [program, *arguments], env=environment, stdout=output, stderr=output
            )

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(directory: Path) -> Iterator[Cluster]:
    """A cluster, until the block ends."""
    cluster = Cluster(directory)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def until(condition: Callable[[], object], patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.05)
