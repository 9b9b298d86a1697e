"""Who asks: guesses are few, and what was refused is to be found in the log."""

from __future__ import annotations

import logging
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.launcher.support import APPS, LauncherProcess, launching, processes
from tests.waiting import until
from wslink.http.sparse import Sparse
from wslink.http.tokens import token_file
from wslink.http.tries import FREE_TRIES, Tries

TOKEN = "the-administrator's-token"
GOOD, BAD = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer wrong"}


@pytest.fixture
def admin(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text(TOKEN)
    return {"admin_token_file": str(tmp_path / "token"), "apps": {"good": APPS["good"]}}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "x/log"), ("GET", "x"), ("DELETE", "x")])
async def test_an_address_guesses_a_few_times(tmp_path: Path, admin: dict[str, Any], method: str, path: str) -> None:
    async with launching(tmp_path, **admin) as running:
        for _ in range(FREE_TRIES):
            assert (await running.ask(method, path, headers=BAD))[0] in (400, 404)
        # The right one is not looked at now: the answer would tell.
        async with running.http.get(f"{running.url}/paraview/", headers=GOOD) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await running.ask("POST", json={"application": "good"}))[0] == 200  # the others are not concerned


async def test_users_tokens_are_not_guessed_either(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("ada 0123456789abcdef\n")
    setting = {"type": "bearer", "options": {"token_file": str(tmp_path / "tokens")}}
    async with launching(tmp_path, authentication=setting) as running:
        asked = {"json": {"application": "none"}}
        for _ in range(FREE_TRIES):
            assert (await running.ask("POST", headers=BAD, **asked))[0] == 401
        assert (await running.ask("POST", headers={"Authorization": "Bearer 0123456789abcdef"}, **asked))[0] == 429
        assert (await running.ask("POST", **asked))[0] == 401


def test_the_wait_doubles_and_is_forgotten() -> None:
    now = 0.0
    tries = Tries(lambda: now)
    waits = []
    for _ in range(FREE_TRIES + 8):
        tries.wrong("a")
        waits.append(tries.wait("a"))
    assert waits[FREE_TRIES - 2 : FREE_TRIES + 2] == [0, 1, 2, 4]
    assert waits[-1] == 60
    assert tries.wait("b") == 0
    for _ in range(2000):  # a program that keeps asking with a token of old
        now += tries.wait("a")
        tries.wrong("a")
    assert tries.wait("a") == 60
    now += 1000.0
    assert (tries.wait("a"), tries.wrong("a"), tries.wait("a")) == (0, 1, 0)
    for number in range(20_000):
        tries.wrong(str(number))
    assert len(tries._records) == 10_000


async def test_what_happens_is_logged(tmp_path: Path, admin: dict[str, Any]) -> None:
    (tmp_path / "tokens").write_text("ada 0123456789abcdef\n")
    setting = {"type": "bearer", "options": {"token_file": str(tmp_path / "tokens")}}
    process = LauncherProcess(tmp_path / "one", authentication=setting, starts_per_minute=1, **admin)
    client = await process.start()
    ada = {"Authorization": "Bearer 0123456789abcdef"}
    assert [(await client.post("good", headers=headers))[0] for headers in (ada, ada, {}, BAD)] == [200, 429, 401, 401]
    assert (await client.ask("GET", headers=BAD))[0] == 404
    assert (await client.ask("POST", headers=ada, json={}))[1]["error"].endswith(
        "the name of what to start, is missing"
    )
    await client.http.close()
    await process.terminate()
    path = tmp_path / "one" / "log" / "launcherLog.log"
    lines = path.read_text().splitlines()
    for words in (
        ("'good'", "asked for by ada at 127.0.0.1"),
        ("session", "of good was started for ada at 127.0.0.1:"),
        ("429", "starts_per_minute (1) is reached", "127.0.0.1"),
        ("POST '/paraview/' from 127.0.0.1 was refused: authentication is needed",),
        ("wrong tokens from there: 1",),
        ("GET '/paraview/' from 127.0.0.1 was refused: the administrator's token is needed", "from there: 2"),
        ("is not complete",),
    ):
        assert any(all(word in line for word in words) for line in lines), words
    assert all(time.strptime(line[:19], "%Y-%m-%d %H:%M:%S") for line in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(secret in path.read_text() for secret in ("0123456789abcdef", TOKEN))


async def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "launcherLog.log"
    path.write_text("of an earlier launcher\n")
    path.chmod(0o644)
    process = LauncherProcess(tmp_path, apps={})
    await (await process.start()).http.close()
    await process.terminate()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("of an earlier launcher\n")


async def test_a_hangup_ends_nothing(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]})
    client = await process.start()
    session = await client.start("good")
    os.kill(process.process.pid, signal.SIGHUP)
    assert (await client.ask("GET", session["id"]))[0] == 200
    await client.http.close()
    await process.terminate()
    assert process.process.returncode == 0
    await until(lambda: not processes())
    assert "SIGHUP" in (tmp_path / "log" / "launcherLog.log").read_text()


async def test_tokens_are_read_again(tmp_path: Path, admin: dict[str, Any]) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_bytes(b"\xef\xbb\xbf# who may start sessions\r\nada 0123456789abcdef\r\n\r\n")
    setting = {"type": "bearer", "options": {"token_file": str(tokens)}}
    ada, bob = ({"Authorization": f"Bearer {token}"} for token in ("0123456789abcdef", "fedcba9876543210"))
    async with launching(tmp_path, authentication=setting, ports=9, **admin) as running:
        assert [(await running.post("good", headers=who))[0] for who in (ada, bob)] == [200, 401]
        tokens.write_text("bob fedcba9876543210\n")
        assert [(await running.post("good", headers=who))[0] for who in (ada, bob)] == [401, 200]
        for text in ("bob short\n", ""):  # being written, or a slip: what was said before stays valid
            tokens.write_text(text)
            assert (await running.post("good", headers=bob))[0] == 200
        tokens.unlink()
        assert (await running.post("good", headers=bob))[0] == 200
        (tmp_path / "token").write_text(TOKEN[::-1])
        assert (await running.ask("GET", headers={"Authorization": f"Bearer {TOKEN[::-1]}"}))[0] == 200


def test_a_token_of_any_editor(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf" + TOKEN.encode() + b"\r\n")
    assert token_file("x", str(tmp_path / "token")).value == TOKEN
    (tmp_path / "token").write_text(TOKEN, encoding="utf-16")
    with pytest.raises(ValueError, match="x: .* is UTF-16: save it as UTF-8"):
        token_file("x", str(tmp_path / "token"))


async def test_a_person_is_told_what_this_is(tmp_path: Path) -> None:
    async with launching(tmp_path, apps={}) as running:
        async with running.http.get(f"{running.url}/", headers={"Accept": "text/html,*/*"}) as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert "POST paraview/" in await response.text()
        async with running.http.get(f"{running.url}/") as response:
            assert (response.status, "/paraview/" in await response.text()) == (404, True)


async def test_files_whose_name_begins_with_a_dot_are_not_served(tmp_path: Path) -> None:
    content = tmp_path / "www"
    (content / ".git").mkdir(parents=True)
    (content / ".well-known").mkdir()
    for name in (".env", ".git/config", "index.html", ".well-known/security.txt"):
        (content / name).write_text("text")
    async with launching(tmp_path, apps={}, content=str(content)) as running:
        for path in (".env", "%2eenv", ".git/config", ".git%2fconfig", "x/../.env", ".git/", "//.env"):
            async with running.http.get(URL(f"{running.url}/{path}", encoded=True)) as response:
                assert response.status in (403, 404), path
        for path in ("", "index.html", ".well-known/security.txt"):
            async with running.http.get(f"{running.url}/{path}") as response:
                assert (response.status, await response.text()) == (200, "text")


def test_lines_that_peers_cause_are_few_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    logger = logging.getLogger("wslink.test.sparse")
    logger.addFilter(Sparse(lambda: now))
    for number in range(500):
        logger.warning("from %d", number)
        logger.warning("something else")
    assert len(caplog.records) == 120
    now = 60.0
    logger.warning("from %d", 500)
    assert caplog.messages[-1] == "from 500 (440 more of that kind were left out)"


async def test_a_program_that_is_not_there_is_named_in_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"cmd": ["no-such-viewer", "${secret}"], "ready_line": "x"}
    apps = {"none": nowhere, "there": {**APPS["good"], "cwd": "/none"}}
    told = {"none": "the program 'no-such-viewer' cannot be started: ", "there": "cannot be started in /none: "}
    async with launching(tmp_path, apps=apps) as running:
        for name, words in told.items():
            status, answer = await running.post(name)
            assert (status, answer["error"]) == (503, "The process did not properly start: No such file or directory.")
            assert words in caplog.text
    assert "no-such-viewer" not in str(answer)
