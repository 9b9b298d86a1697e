"""Settings: declared once, the same in keywords, flags, environment and docs."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from tests.conftest import Open, Serve
from wslink import App, UsageError
from wslink.server.limits import limits as limits_of_environment
from wslink.server.options import Options
from wslink.settings import add_options

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_docs_list_every_setting_with_its_default_flags_and_variable() -> None:
    lines = (DOCS / "settings.md").read_text().splitlines()
    for option in dataclasses.fields(Options):
        [line] = [line for line in lines if line.startswith(f"| `{option.name}` ")]
        default = f"{option.default:g}" if isinstance(option.default, float) else str(option.default) or "none"
        words = [default, *option.metadata["flags"], option.metadata["env"], option.metadata["help"]]
        assert all(word in line for word in words), line


def test_the_docs_list_every_limit_with_its_default() -> None:
    from wslink import Limits

    text = (DOCS / "protocol" / "limits.md").read_text().replace(",", "")
    units = {n << 20: f"{n} MiB" for n in (1, 16, 32, 64, 128, 256, 512, 1040)} | {1 << 30: "1 GiB", 2 << 30: "2 GiB"}
    for limit in dataclasses.fields(Limits):
        assert f"`{limit.name}`" in text
        assert units.get(limit.default, f"{limit.default:g}" if limit.default < 1e5 else str(limit.default)) in text  # type: ignore[arg-type, operator]


def test_every_limit_has_a_variable_that_the_docs_name() -> None:
    from wslink import Limits

    lines = (DOCS / "settings.md").read_text().splitlines()
    for limit in dataclasses.fields(Limits):
        variable = f"WSLINK_{limit.name.upper()}"
        assert any(line.startswith(f"| `{limit.name}` | `{variable}` |") for line in lines), limit.name
        assert getattr(limits_of_environment({variable: "77"}), limit.name) == 77
        with pytest.raises(UsageError, match=variable):
            limits_of_environment({variable: "-1"})


def test_flags_are_keywords() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, Options)
    assert vars(parser.parse_args([])) == {}
    given = ["-p", "0", "-i", "0.0.0.0", "-t", "5", "-s", "-d", "-c", "www", "-ws", "link", "-a", "key"]
    given += ["--no-ws-compress", "--no-ws-endpoint", "--fs-endpoints", "a=b", "--ssl", "adhoc", "--origins", "*"]
    assert vars(parser.parse_args(given)) == {
        "port": 0, "host": "0.0.0.0", "timeout": 5, "handle_signals": False, "debug": True, "content": "www",
        "ws": "link", "secret": "key", "ws_compress": False, "ws_endpoint": False, "fs_endpoints": "a=b",
        "ssl": "adhoc", "origins": "*",
    }  # fmt: skip


def test_the_environment_is_read_when_a_server_is_created() -> None:
    environment = {
        "WSLINK_HEART_BEAT": "0.5",
        "WSLINK_WS_COMPRESS": "0",
        "WSLINK_FOLLOW_SYMLINKS": "1",
        "WSLINK_READY_MSG": "",
    }
    options = Options.from_environment(environment)
    assert (options.heart_beat, options.ws_compress, options.follow_symlinks, options.ready_msg) == (
        0.5,
        False,
        True,
        "",
    )
    assert Options.from_environment(environment, heart_beat=7).heart_beat == 7
    limits = limits_of_environment(
        {"WSLINK_MAX_MSG_SIZE": "1000", "WSLINK_AUTH_MSG_SIZE": "2000", "WSLINK_MSG_OVERHEAD": "30"}
    )
    assert (limits.max_msg_size, limits.auth_msg_size, limits.max_frame) == (1000, 2000, 1030)


@pytest.mark.parametrize("value", ["many", "-1", "12", "inf", "nan"])
def test_a_malformed_variable_is_named(value: str) -> None:
    with pytest.raises(UsageError, match="WSLINK_MAX_MSG_SIZE"):
        limits_of_environment({"WSLINK_MAX_MSG_SIZE": value})


def test_a_whole_number_has_no_fraction() -> None:
    assert limits_of_environment({"WSLINK_MAX_CALLS": "1e3"}).max_calls == 1000
    assert limits_of_environment({"WSLINK_STALL_TIMEOUT": "0.5"}).stall_timeout == 0.5
    with pytest.raises(UsageError, match="WSLINK_MAX_CLIENTS is '0.5': a whole number is needed"):
        limits_of_environment({"WSLINK_MAX_CLIENTS": "0.5"})


async def test_a_secret_can_be_given_when_it_is_served(serve: Serve, peers: Open) -> None:
    app = App()
    peer = await peers(await serve(app, secret="given"))
    assert "error" in await peer.hello(...)
    assert "result" in await peer.hello("given")
