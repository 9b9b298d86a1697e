"""All attacks at once beside honest clients, for as long as one likes: see scripts/soak."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.hostile.arena import KINDS, Server, server
from tests.hostile.known import NOT_YET
from tests.hostile.mutations import PATIENCE, Mutator, Outcome, send_all
from tests.hostile.probe import Meter, Probe, Wait
from tests.hostile.registry import MIB
from tests.hostile.running import ATTACKS, run
from tests.hostile.sockets import Target, listen

ATTACK_SECONDS = 5.0
"""How long each attacker stays with one attack before it takes the next."""
ATTACKERS = 4
REPORT_EVERY = 30.0
FLAT = 48 * MIB
"""Bytes by which the second half of the time may exceed the first: attacks come in random order."""
LONGEST = 12
"""Waits that are printed with what went on then."""
APART = 1.0
"""Seconds between waits that are taken for different ones."""


class Ran(NamedTuple):
    """An attack that one attacker made, and from when to when by the monotonic clock."""

    name: str
    began: float
    ended: float


def attack_in_turn(number: int, target: Target, seconds: float, answers: Any) -> None:
    """One attacker: every attack in turn, each attacker beginning with another one."""
    if target.dialed:
        listen(target.port)
    names = [name for name, attack in ATTACKS.items() if target.kind in attack.kinds]
    end, index = time.monotonic() + seconds, number * len(names) // ATTACKERS
    failures: list[str] = []
    ran: list[Ran] = []
    while (left := end - time.monotonic()) > 0:
        name, began = names[index % len(names)], time.monotonic()
        try:
            run(name, target, min(ATTACK_SECONDS, left))
        except Exception as error:  # the attacker's own: it goes on with the next
            failures.append(f"{name}: {error!r}")
        ran.append(Ran(name, began, time.monotonic()))
        index += 1
    answers.send((failures, ran))


def mutate(target: Target, count: int, seconds: float, answers: Any) -> None:
    """A peer that sends mutated messages, `count` of them unless the time ends before."""
    mutator, end, outcome = Mutator(seed=int(time.time())), time.monotonic() + seconds, Outcome()
    while outcome.sent < count and time.monotonic() < end:
        try:
            send_all(target, mutator, min(500, count - outcome.sent), outcome)
        except OSError:
            time.sleep(0.1)
    answers.send(outcome)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kind", choices=KINDS, default="picows")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--mutations", type=int, default=1_000_000)
    arguments = parser.parse_args(argv)
    with server(arguments.kind) as attacked:
        return soak(attacked, arguments)


def soak(attacked: Server, arguments: argparse.Namespace) -> int:
    """Attack for so long; the exit code."""
    context = multiprocessing.get_context("forkserver")
    clients = [
        Probe(attacked.felt, attacked.process) for _ in range(1 if attacked.felt.kind == "relay" else arguments.clients)
    ]
    meter = Meter(attacked.process)
    for thread in (*clients, meter):
        thread.start()
    peers = []
    for number in range(1 if attacked.attacked.dialed else ATTACKERS):
        ours, theirs = context.Pipe()
        process = context.Process(
            target=attack_in_turn, args=(number, attacked.attacked, arguments.seconds, theirs), daemon=True
        )
        process.start()
        peers.append((process, ours))
    mutating, theirs = context.Pipe()
    mutates = attacked.attacked.kind not in ("relay", "reverse")
    if mutates:
        mutator = context.Process(
            target=mutate, args=(attacked.attacked, arguments.mutations, arguments.seconds, theirs), daemon=True
        )
        mutator.start()
    began, ran = time.monotonic(), list[Ran]()
    halves = watch(meter, clients, arguments.seconds)
    for process, ours in peers:
        if ours.poll(30):
            failures, attacks = ours.recv()
            ran += attacks
            for failure in failures:
                print("attacker:", failure)
        process.kill()
    mutated = mutating.recv() if mutates and mutating.poll(PATIENCE + 30) else Outcome()
    for thread in (*clients, meter):
        thread.stop()
    show_longest([wait for client in clients for wait in client.waits], ran, began)
    code = report(meter, clients, halves, mutated)
    return 1 if mutates and not mutated.sent else code


def watch(meter: Meter, clients: list[Probe], seconds: float) -> tuple[int, int]:
    """Wait, and print figures now and then; the most bytes in each half of the time."""
    start, halves = time.monotonic(), [0, 0]
    shown = start
    while (passed := time.monotonic() - start) < seconds:
        time.sleep(min(0.5, seconds - passed))
        half = int(passed > seconds / 2)
        halves[half] = max(halves[half], meter.now)
        if time.monotonic() - shown > REPORT_EVERY:
            shown = time.monotonic()
            print(f"{passed:5.0f} s: {_figures(meter, clients)}", flush=True)
    return halves[0], halves[1]


def _figures(meter: Meter, clients: list[Probe]) -> str:
    answered = sum(client.answered for client in clients)
    longest = max(client.longest for client in clients)
    failed = sum(bool(client.failed) for client in clients)
    return (
        f"resident {meter.now / MIB:.0f} MiB, most {meter.most / MIB:.0f} MiB; {answered} calls answered, "
        f"longest wait {1000 * longest:.0f} ms, {failed} clients cut off; {meter.processor:.0f} s of processor time"
    )


def show_longest(waits: list[Wait], ran: list[Ran], began: float) -> None:
    """Print the longest waits, and which attacks went on or had just ended then; one line for what many waited for."""
    shown: list[Wait] = []
    for wait in sorted(waits, reverse=True):
        if len(shown) < LONGEST and all(abs(wait.at - other.at) > APART for other in shown):
            shown.append(wait)
            names = [one.name for one in ran if one.began < wait.at + wait.seconds and wait.at < one.ended + 0.1]
            print(
                f"waited {1000 * wait.seconds:4.0f} ms, processor {1000 * wait.processor:4.0f}, "
                f"at {wait.at - began:5.1f} s: {' | '.join(names)}"
            )


def report(meter: Meter, clients: list[Probe], halves: tuple[int, int], mutated: Outcome) -> int:
    print(f"in all: {_figures(meter, clients)}")
    print(f"most in the first half {halves[0] / MIB:.0f} MiB, in the second {halves[1] / MIB:.0f} MiB")
    print(
        f"{mutated.sent} mutated messages over {mutated.connections} connections: {mutated.ended} ended, "
        f"{mutated.answered} questions answered, {len(mutated.forgotten)} forgotten"
    )
    for one in mutated.forgotten:
        print(one)
    for client in clients:
        if client.failed:
            print("a client was not served:", client.failed)
    if NOT_YET:
        print("attacks that are not held yet:", ", ".join(NOT_YET))
    good = not mutated.forgotten and not any(client.failed for client in clients) and halves[1] <= halves[0] + FLAT
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
