"""The overviews of both APIs name every parameter and option of what they list."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import wslink
from tests.docs.blocks import ROOT
from wslink import App, Link, Topic

PYTHON = (ROOT / "docs/python.md").read_text()
JAVASCRIPT = (ROOT / "js/README.md").read_text()


@pytest.mark.parametrize(
    ("called", "row"),
    [
        (App, "App("),
        (App.method, "@app.method("),
        (App.topic, "app.topic("),
        (App.connect, "app.connect("),
        (App.presence, "app.presence("),
        (Topic.publish, "topic.publish("),
        (wslink.connect, "connect("),
        (Link.subscribe, "link.subscribe("),
    ],
)
def test_a_parameter_stands_in_its_row(called: Callable[..., Any], row: str) -> None:
    [line] = [line for line in PYTHON.splitlines() if line.startswith(f"| `{row}")]
    signature = line.removeprefix("| `").split("`")[0]
    names = [name for name in inspect.signature(called).parameters if name not in ("self", "name", "topic", "group")]
    assert [name for name in names if not re.search(rf"\b{name}\b", signature)] == []


def test_the_options_of_a_call_are_named() -> None:
    options = set(inspect.signature(Link.with_options).parameters) - {"self"}
    assert {name for name in options if f"with_options({name}=" not in PYTHON} == set()


@pytest.mark.parametrize(
    ("file", "interface"),
    [
        ("client/connect.ts", "ConnectOptions"),
        ("session/session.ts", "CallOptions"),
        ("session/session.ts", "StreamOptions"),
        ("session/transfers.ts", "TransferOptions"),
        ("session/features/subscribe.ts", "SubscribeOptions"),
        ("rpc/deadline.ts", "WaitOptions"),
        ("client/reconnect.ts", "ReconnectOptions"),
        ("client/launch.ts", "LaunchOptions"),
    ],
)
def test_an_option_of_a_page_is_named(file: str, interface: str) -> None:
    text = (ROOT / "js/src" / file).read_text()
    [body] = re.findall(rf"^export interface {interface}\b[^{{]*{{\n(.*?)^}}", text, re.DOTALL | re.MULTILINE)
    names = re.findall(r"^  readonly (\w+)\?", body, re.MULTILINE)
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", JAVASCRIPT)] == []
