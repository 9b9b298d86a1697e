"""A relay's options, and what cannot be followed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from wslink.errors import UsageError
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.relay.targets import parse_rule


@pytest.mark.parametrize("text", ["", ":80", "host:x", "host:1-", "a:b:c"])
def test_rules_that_mean_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="HOST"):
        parse_rule(text)


@pytest.mark.parametrize("ports", ["0", "99999", "90-80", "0-80", "80-99999", "123456", "9" * 5000, "\u0661"])
def test_ports_that_nobody_listens_on(ports: str) -> None:
    with pytest.raises(UsageError, match=r"HOST|ports are from 1 to 65535"):
        parse_rule(f"host:{ports}")


def test_a_mode_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="forward, relay"):
        Options(mode="sink")


def test_a_short_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    with pytest.raises(UsageError, match="at least 16"):
        Relay(Options(client_token_file=str(tmp_path / "token")))


def test_the_document_has_every_flag() -> None:
    text = (Path(__file__).parents[2] / "docs" / "relay.md").read_text()
    for option in dataclasses.fields(Options):
        flags = " ".join(f"`{flag}`" for flag in option.metadata["flags"])
        default = f"`{option.default}`" if option.default not in ("", ()) else ""
        assert f"| {flags} | {default} | {option.metadata['help']} |" in text
