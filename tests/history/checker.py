"""Finds loss, doubles, disorder and double execution in a history.

`python -m tests.history.checker` takes `[record, logs]` as JSON on stdin, and prints a list.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from tests.history.flows import SMALL


def check(record: dict[str, Any], logs: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong.

    Args:
        record: what the server says it has done.
        logs: those of the clients, by name.
    """
    found = list(record["broken"])
    for name, log in logs.items():
        found += [f"{name}: {each}" for each in _check_client(record, name, log)]
    return found


def _check_client(record: dict[str, Any], name: str, log: dict[str, Any]) -> list[str]:
    found = [str(error) for error in log["errors"][:5]]
    executed = record["executed"].get(name, [])
    sent = set(range(log["sent"]))
    found += _differ("executed", executed, sent) + _differ("answered", log["answered"], sent)
    small = set(log["small"])
    in_order = [number for number in executed if number in small]
    if in_order != sorted(in_order):
        found.append("small calls were executed out of order")
    found += _check_served(record, name, log)
    for topic, (numbers, count) in enumerate(zip(log["published"], record["published"], strict=True)):
        found += _differ(f"publications of topic {topic}", numbers, set(range(count)))
        if numbers != sorted(numbers):
            found.append(f"publications of topic {topic} came out of order")
    for key, (numbers, newest) in enumerate(zip(log["frames"], record["newest"], strict=True)):
        if numbers != sorted(set(numbers)):
            found.append(f"frames of key {key} came twice or after newer ones")
        if newest >= 0 and numbers[-1:] != [newest]:
            found.append(f"the last frame of key {key} is {numbers[-1:]}, not {newest}")
    refused = [verdict for verdict in log["verdicts"] if not verdict[0]]
    if refused:
        found.append(f"was not resumed {len(refused)} times: {Counter(reason for _, reason in refused)}")
    return found


def _check_served(record: dict[str, Any], name: str, log: dict[str, Any]) -> list[str]:
    """Calls that the server has made of a client."""
    served = [number for number, _ in log["served"]]
    small = [number for number, size in log["served"] if size <= SMALL]
    found = _differ("calls of the server", served, set(range(record["asked"].get(name, 0))))
    return found + (["small calls of the server were served out of order"] if small != sorted(small) else [])


def _differ(what: str, numbers: list[int], expected: set[int]) -> list[str]:
    lost, more = expected - set(numbers), set(numbers) - expected
    doubled = [number for number, times in Counter(numbers).items() if times > 1]
    return [
        f"{what}: {len(some)} {kind}, such as {sorted(some)[:5]}"
        for kind, some in (("lost", lost), ("that there are not", more), ("doubled", doubled))
        if some
    ]


if __name__ == "__main__":
    print(json.dumps(check(*json.load(sys.stdin))))
