"""Running a target: it must return, raise nothing, and be quick."""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SLOWEST = 0.2
"""Seconds that one input may take."""
LONGEST = 2**16
"""Bytes of an input, at most."""
_HELPERS = ("runner", "__main__")

Target = Callable[[bytes], None]


class TooSlow(AssertionError):
    """An input took longer than `SLOWEST`, twice."""


def names() -> list[str]:
    """The targets that there are."""
    found = (one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if name not in _HELPERS and not name.startswith("test_"))


def load(name: str) -> tuple[Target, Sequence[bytes]]:
    """A target and its corpus."""
    module = importlib.import_module(f"tests.fuzz.{name}")
    return module.target, module.CORPUS


def timed(target: Target) -> Target:
    """A target that fails too where it is slow."""

    def run(data: bytes) -> None:
        for _ in range(2):  # the machine may have been busy
            began = time.process_time()
            target(data)
            if time.process_time() - began <= SLOWEST:
                return
        raise TooSlow(f"{len(data)} bytes took more than {SLOWEST} s: {data[:200]!r}")

    return run


def mutate(target: Target, corpus: Sequence[bytes], seconds: float, seed: int | None = None) -> int:
    """Run a target with mutations of its corpus; returns how many.

    Raises:
        AssertionError: naming the input, as whatever the target raised caused it.
    """
    seed = random.randrange(2**32) if seed is None else seed
    source, run = random.Random(seed), timed(target)
    end, count = time.monotonic() + seconds, 0
    for data in corpus:
        _try(run, data, seed)
    while time.monotonic() < end:
        _try(run, _mutated(source, corpus), seed)
        count += 1
    return count


def _try(run: Target, data: bytes, seed: int) -> None:
    try:
        run(data)
    except Exception as error:
        raise AssertionError(f"seed {seed}, input {data!r}: {error!r}") from error


def _mutated(source: random.Random, corpus: Sequence[bytes]) -> bytes:
    data = bytearray(source.choice(corpus))
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        at = source.randrange(len(data) + 1)
        kind = source.randrange(6)
        if kind == 0:
            data[at : at + source.randrange(8)] = b""
        elif kind == 1:
            data[at:at] = source.randbytes(source.randrange(1, 9))
        elif kind == 2 and data:
            data[at % len(data)] ^= 1 << source.randrange(8)
        elif kind == 3:
            other = source.choice(corpus)
            begin = source.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + source.randrange(64)]
        elif kind == 4:
            data[at:at] = source.choice((b"\x00", b"\xff" * 4, b'"', b"{", b"[" * 500, b"\\u0000", b"1e999", b"/../"))
        else:
            data[at:at] = data[max(0, at - source.randrange(64)) : at] * source.choice((1, 2, 50))
    return bytes(data[:LONGEST])


def guided(name: str, seconds: float, corpus_directory: Path) -> None:
    """Run a target under atheris, which does not return: it exits with 0 unless an input failed."""
    import atheris

    with atheris.instrument_imports(include=["wslink"]):
        target, corpus = load(name)
    corpus_directory.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus):
        (corpus_directory / f"seed{number}").write_bytes(data)
    options = [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}", "-rss_limit_mb=1024", "-verbosity=0"]
    os.chdir(corpus_directory)  # inputs that fail are written there
    atheris.Setup([sys.argv[0], *options, "."], timed(target))
    atheris.Fuzz()
