"""Runs a target: with atheris, which looks for new paths, where it is installed; with mutations of the seeds elsewhere.

What must not happen, whatever the input (of at most MAX_INPUT bytes): an exception that is not documented, a run of
more than SLOW seconds, and objects that stay behind.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import mmap
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

MAX_INPUT = 1 << 16
SLOW = 0.2
INSTRUMENTED = 5
"""How much slower code is in which atheris counts."""
MAX_GROWTH = 20_000
"""Objects that may be alive more than after the first CHECK_EVERY runs."""
CHECK_EVERY = 20_000
TARGETS = (
    *("arrays", "chunks", "filters", "hello", "json", "launcher_configuration", "launcher_requests", "msgpack"),
    *("client", "comm", "flow", "moves", "reader", "recording", "relay_frames", "session"),
)
CORPUS = Path(__file__).parents[2] / ".cache" / "fuzz"

Run = Callable[[bytes], Any]


class Failure(AssertionError):
    """What must not happen has happened."""


def target(name: str) -> Any:
    """The module of a target."""
    return importlib.import_module(f"tests.fuzz.fuzz_{name}")


class Inputs:
    """Keeps the inputs that matter of a target, however its process ends.

    `NAME-last` in `directory` begins with the size of the input that ran last, in 4 bytes, and goes on with that input;
    `NAME-failed-DIGEST` is one that led to an exception.
    """

    def __init__(self, name: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._prefix = f"{directory / name}-"
        with open(f"{self._prefix}last", "w+b") as file:
            file.truncate(4 + MAX_INPUT)
            self._last = mmap.mmap(file.fileno(), 4 + MAX_INPUT)

    def begin(self, data: bytes) -> None:
        """It is about to run."""
        self._last[: 4 + len(data)] = len(data).to_bytes(4, "big") + data

    def failed(self, data: bytes) -> None:
        """It led to an exception."""
        path = Path(f"{self._prefix}failed-{hashlib.sha256(data).hexdigest()[:16]}")
        path.write_bytes(data)
        print(f"the input is in {path}", file=sys.stderr, flush=True)


class Watched:
    """`run`, with an eye on the time and on what stays behind.

    Args:
        run: the target.
        slow: seconds of processor time that an input may take.
        inputs: keeps those that matter; none are kept unless given.
    """

    def __init__(self, run: Run, slow: float = SLOW, inputs: Inputs | None = None) -> None:
        self._run = run
        self._inputs = inputs
        self._slow = slow
        self._runs = 0
        self._alive: int | None = None

    def __call__(self, data: bytes) -> None:
        if len(data) > MAX_INPUT:
            return
        if self._inputs is None:
            self._watch(data)
            return
        self._inputs.begin(data)
        try:
            self._watch(data)
        except BaseException:
            self._inputs.failed(data)
            raise

    def _watch(self, data: bytes) -> None:
        if (seconds := self._timed(data)) > self._slow:
            seconds = min(seconds, self._timed(data), self._timed(data))
            if seconds > self._slow:
                raise Failure(f"{len(data)} bytes took {seconds:.2f} s")
        self._runs += 1
        if self._runs % CHECK_EVERY == 0:
            self._check_growth()

    def _timed(self, data: bytes) -> float:
        began = time.thread_time()  # of the processor: the machine may be busy
        self._run(data)
        return time.thread_time() - began

    def _check_growth(self) -> None:
        gc.collect()
        alive = len(gc.get_objects())
        self._alive = self._alive or alive
        if alive > self._alive + MAX_GROWTH:
            raise Failure(f"{alive - self._alive} objects more are alive than after {CHECK_EVERY} runs")


def fuzz(name: str, seconds: int) -> None:
    """Run a target for some seconds; the process ends with an error where one is found."""
    try:
        import atheris
    except ImportError:
        module = target(name)
        print(f"{mutate(module.run, module.SEEDS, seconds, inputs=Inputs(name, CORPUS))} mutations")
        return
    with atheris.instrument_imports(include=["wslink"]):
        module = target(name)
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in module.SEEDS:
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT}", "-rss_limit_mb=1024", "-timeout=20"]
    options += [f"-artifact_prefix={CORPUS / name}-", str(corpus)]
    atheris.Setup([name, *options], Watched(module.run, INSTRUMENTED * SLOW, Inputs(name, CORPUS)))
    atheris.Fuzz()


def mutate(
    run: Run,
    seeds: Iterable[bytes],
    seconds: float,
    most: int = 10**9,
    seed: int | None = None,
    inputs: Inputs | None = None,
) -> int:
    """Run mutations of `seeds` for some seconds; how many it were."""
    choose, known, watched = random.Random(seed), list(seeds), Watched(run, inputs=inputs)
    for first in known:
        watched(first)
    end, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end and runs < most:
        watched(mutation(choose, known))
        runs += 1
    return runs


def mutation(choose: random.Random, known: list[bytes]) -> bytes:
    """One of `known` with some changes: bits, bytes, numbers, pieces of others, repetitions, a cut."""
    data = bytearray(choose.choice(known))
    for _ in range(choose.choice((1, 1, 2, 4, 16))):
        at = choose.randrange(len(data) + 1)
        how = choose.randrange(6)
        if how == 0 and at < len(data):
            data[at] ^= 1 << choose.randrange(8)
        elif how == 1:
            data[at:at] = choose.randbytes(choose.randrange(1, 5))
        elif how == 2:
            data[at : at + 4] = choose.choice((0, 1, 255, 2**16, 2**31, 2**32 - 1)).to_bytes(
                4, choose.choice(("big", "little"))
            )
        elif how == 3:
            other = choose.choice(known)
            begin = choose.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + choose.randrange(64)]
        elif how == 4:
            data[at : at + 1] = data[at : at + choose.randrange(1, 32)] * choose.choice((2, 16, 256))
        else:
            del data[at : at + choose.randrange(1, 8)]
    return bytes(data[:MAX_INPUT])
