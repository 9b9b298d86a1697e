"""What an attacker may try. Each of these has to fail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import PYTHON, READY, SLEEP, Running, app, arguments_app, launching, processes

EVIL = "https://evil.example"
SHOWS = f"import os, json; print('got', json.dumps([os.environ['FIELD']]), flush=True); {READY}; {SLEEP}"


class TestProperties:
    async def test_a_posted_key_never_replaces_a_property(self, tmp_path: Path) -> None:
        apps = {"named": arguments_app("${directory}", "${name}")}
        async with launching(tmp_path, apps=apps, properties={"directory": "/the/data"}) as running:
            session = await running.start("named", directory="/etc", name="x")
            assert running.arguments(session) == ["/the/data", "x"]

    @pytest.mark.parametrize(
        "name", ["id", "host", "port", "secret", "secret_file", "token", "sessionURL", "cmd", "application"]
    )
    async def test_a_posted_key_never_replaces_a_reserved_variable(self, tmp_path: Path, name: str) -> None:
        apps = {"shows": arguments_app(f"${{{name}}}")}
        async with launching(tmp_path, apps=apps, fields=[name]) as running:
            posted = {name: "forged"} if name != "application" else {}
            session = await running.start("shows", **posted)
            assert running.arguments(session) != ["forged"]
            assert session.get(name) != "forged"

    async def test_a_key_that_the_command_does_not_name_is_not_echoed(self, tmp_path: Path) -> None:
        async with launching(tmp_path, fields=["note", "port"]) as running:
            assert "note" not in await running.start("good", note="<script>")

    async def test_a_posted_template_stays_text(self, tmp_path: Path) -> None:
        apps = {"shows": arguments_app("--name=${name}", "${directory}")}
        async with launching(tmp_path, apps=apps, properties={"directory": "${name}"}) as running:
            session = await running.start("shows", name="${secret}$directory$$")
            assert running.arguments(session) == ["--name=${secret}$directory$$", "${name}"]


COMMANDS = [
    "; touch MARK",
    "$(touch MARK)",
    "`touch MARK`",
    "x | touch MARK",
    "x && touch MARK",
    "'; touch MARK; '",
    "x > MARK",
]

OPTIONS = ["--config=/etc/passwd", "-c", "--", "-", "-inf", "-nan", "-Infinity", "-1_0", "-0x1", "-1e"]
PATHS = ["/etc/passwd", "../x", "a/../../x", "..", "~root/x", "a\\..\\b", "\\\\host\\x"]
TEXTS = ["a\ud800", "a\0b", "a\nb", "a\r\nX: y", "\x1b[2J", "x" * 5000]
NO_TEXTS: list[Any] = [["a"], {"a": 1}, [[["x"] * 3]]]


class TestInjection:
    @pytest.mark.parametrize("text", COMMANDS)
    async def test_a_command_is_an_argument(self, tmp_path: Path, text: str) -> None:
        mark = tmp_path / "mark"
        text = text.replace("MARK", str(mark))
        apps = {"shows": arguments_app("--name", "${name}")}
        async with launching(tmp_path, apps=apps) as running:
            session = await running.start("shows", name=text)
            assert running.arguments(session) == ["--name", text]
        assert not mark.exists()

    @pytest.mark.parametrize("text", OPTIONS)
    async def test_an_option_is_refused(self, tmp_path: Path, text: str) -> None:
        await self._refused(tmp_path, text)

    @pytest.mark.parametrize("text", PATHS)
    async def test_a_path_out_of_a_folder_is_refused(self, tmp_path: Path, text: str) -> None:
        await self._refused(tmp_path, text)

    @pytest.mark.parametrize("text", TEXTS)
    async def test_control_characters_and_long_texts_are_refused(self, tmp_path: Path, text: str) -> None:
        await self._refused(tmp_path, text)

    @pytest.mark.parametrize("value", NO_TEXTS)
    async def test_what_is_no_text_is_refused(self, tmp_path: Path, value: Any) -> None:
        await self._refused(tmp_path, value)

    async def _refused(self, directory: Path, value: Any) -> None:
        async with launching(directory) as running:
            for name in ("name", "file"):
                status, answer = await running.post("named", **{"name": "x", "file": "y", name: value})
                assert status == 400, answer
                assert name in answer["error"]
            assert running.free_ports() == 4

    @pytest.mark.parametrize(
        "value", ["fine name.vtk", "a/b.vtk", "-12.5", "-.5", "-1e-3", "a..b", "ünï", 7, 1.5, True]
    )
    async def test_usual_values_pass(self, tmp_path: Path, value: Any) -> None:
        async with launching(tmp_path) as running:
            session = await running.start("named", name=value, file="f")
            assert running.arguments(session)[1] == str(value)

    async def test_a_sanitize_rule_decides(self, tmp_path: Path) -> None:
        rules = {
            "name": {"type": "regexp", "regexp": "^/data/[a-z]+$", "default": "/data/none"},
            "file": {"type": "inList", "list": ["a", "b"], "default": "a"},
        }
        async with launching(tmp_path, sanitize=rules, properties={"directory": "/data"}) as running:
            session = await running.start("named", name="/data/x", file="b")
            assert running.arguments(session) == ["--name", "/data/x", "--at", "/data/b"]
            session = await running.start("named", name="/data/x/../..", file="../../c")
            assert running.arguments(session) == ["--name", "/data/none", "--at", "/data/a"]

    @pytest.mark.parametrize("name", ["../../etc", "good/../good", "", "__class__", "a" * 5000, None, 3, ["good"]])
    async def test_an_application_that_there_is_not(self, tmp_path: Path, name: Any) -> None:
        async with launching(tmp_path) as running:
            assert (await running.ask("POST", json={"application": name}))[0] == 400


#: What starts a session for the command spawner here: it writes its arguments as JSON, and then a handle.
ENGINE = (
    "import sys, json; print('got', json.dumps(sys.argv[1:]), file=sys.stderr); print('it is ready', file=sys.stderr)"
)
FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cmd": (arguments_app("${x}"), {}),
    "env": (app(SHOWS, env={"FIELD": "${x}"}), {}),
    "options": (
        {
            "cmd": ["program", "${x}"],
            "ready_line": "it is ready",
            "spawner": "command",
            "options": {"start": [*PYTHON, ENGINE, "${x}", "${command}"], "poll": ["true"], "stop": ["true"]},
        },
        {},
    ),
    "sessionURL": (arguments_app("none"), {"sessionURL": "ws://USE_HOST/${x}/ws?id=${id}"}),
    "sessionData": (arguments_app("none"), {"sessionData": {"told": "about ${x}"}, "fields": ["told"]}),
}
"""Every place of a configuration that a posted key can fill, and what it needs."""


@pytest.mark.parametrize("place", list(FIELDS))
class TestEveryField:
    async def test_it_holds_no_way_out(self, tmp_path: Path, place: str) -> None:
        application, settings = FIELDS[place]
        async with launching(tmp_path, apps={"one": application}, **settings) as running:
            for bad in (*OPTIONS, *PATHS, *TEXTS, *NO_TEXTS):
                status, answer = await running.post("one", x=bad)
                assert (status, answer["error"].partition(":")[0]) == (400, "x"), (bad, answer)
            assert running.launcher.sessions == {}

    async def test_a_command_or_a_template_in_it_is_text(self, tmp_path: Path, place: str) -> None:
        application, settings = FIELDS[place]
        mark = tmp_path / "mark"
        async with launching(tmp_path, apps={"one": application}, ports=8, **settings) as running:
            for bad in (*COMMANDS[:3], "${command}", "${secret} $token $$ ${id} ${handle} %(secret)s {secret} a'\"c"):
                text = bad.replace("MARK", str(mark))
                session = await running.start("one", x=text)
                assert self._arrived(running, place, session) == {text}
                await running.ask("DELETE", session["id"])
        assert not mark.exists()

    def _arrived(self, running: Running, place: str, session: dict[str, Any]) -> set[str]:
        """What came of the field."""
        if place == "sessionURL":
            return {session["sessionURL"].removeprefix("ws://USE_HOST/").partition("/ws?id=")[0]}
        if place == "sessionData":
            return {session["told"].removeprefix("about ")}
        return set(running.arguments(session)) - {"program"}


class TestOtherKeys:
    @pytest.mark.parametrize("value", [["a"], {"a": 1}, 3, None])
    async def test_a_session_manager_that_is_no_address_is_ignored(self, tmp_path: Path, value: Any) -> None:
        async with launching(tmp_path) as running:
            assert "sessionManagerURL" not in await running.start("good", sessionManagerURL=value)

    async def test_a_session_manager_is_told_to_its_client_alone(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            one = await running.start("named", sessionManagerURL="https://x/${secret}", name="n", file="f")
            other = await running.start("good")
            assert one["sessionManagerURL"] == "https://x/${secret}"
            assert "sessionManagerURL" not in other

    async def test_keys_that_nothing_names_change_nothing(self, tmp_path: Path) -> None:
        keys = ("command", "env", "cwd", "spawner", "options", "limits", "log", "PATH", "LD_PRELOAD", "WSLINK_HANDOFF")
        async with launching(tmp_path) as running:
            plain = await running.start("named", name="n", file="f")
            posted = dict.fromkeys((*keys, "__proto__", "constructor", "${name}", ""), "forged")
            session = await running.start("named", **posted, name="n", file="f")
            assert running.arguments(session) == running.arguments(plain)
            assert set(session) == set(plain)
            assert "forged" not in json.dumps(session)


class TestPages:
    @pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1", "http://127.0.0.1.evil.example"])
    @pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
    async def test_a_foreign_page_cannot_start(self, tmp_path: Path, origin: str, kind: str) -> None:
        async with launching(tmp_path) as running:
            headers = {"Origin": origin, "Content-Type": kind}
            status, _ = await running.ask("POST", data=b'{"application": "good"}', headers=headers)
            assert status == 403
            assert not running.launcher.sessions

    async def test_a_foreign_page_cannot_stop_or_read(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            session = await running.start("good")
            assert (await running.ask("DELETE", session["id"], headers={"Origin": EVIL}))[0] == 403
            url = f"{running.url}/paraview/{session['id']}"
            async with running.http.get(url, headers={"Origin": EVIL}) as response:
                assert "Access-Control-Allow-Origin" not in response.headers

    async def test_a_foreign_page_gets_no_preflight(self, tmp_path: Path) -> None:
        headers = {"Origin": EVIL, "Access-Control-Request-Method": "DELETE"}
        async with launching(tmp_path) as running:
            assert (await running.ask("OPTIONS", headers=headers))[0] == 403

    async def test_the_own_page_and_allowed_ones_may(self, tmp_path: Path) -> None:
        async with launching(tmp_path, origins=["https://good.example"]) as running:
            for page in (running.url, "https://good.example"):
                headers = {"Origin": page, "Content-Type": "text/plain"}
                url = f"{running.url}/paraview/"
                async with running.http.post(url, data=b'{"application": "good"}', headers=headers) as response:
                    assert response.status == 200
                    allowed = response.headers.get("Access-Control-Allow-Origin")
                    assert allowed == (None if page == running.url else page)


class TestBodies:
    async def test_an_oversized_body(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            assert (await running.ask("POST", data=b"x" * 70_000))[0] == 413

    async def test_an_oversized_body_without_a_length(self, tmp_path: Path) -> None:
        async def endless() -> Any:
            for _ in range(100):
                yield b" " * 1000

        async with launching(tmp_path) as running:
            assert (await running.ask("POST", data=endless()))[0] == 413

    async def test_a_slow_body(self, tmp_path: Path) -> None:
        async with launching(tmp_path, body_timeout=0.3) as running:
            host, port = running.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            answer = await asyncio.wait_for(reader.read(), 5)  # to the end: the connection is closed
            assert b" 408 " in answer
            writer.close()

    @pytest.mark.parametrize("body", [b"", b"[", b"[]", b"null", b"\xff", b"[" * 60_000, b'{"application"', b"NaN"])
    async def test_a_body_that_is_no_request(self, tmp_path: Path, body: bytes) -> None:
        async with launching(tmp_path) as running:
            status, answer = await running.ask("POST", data=body)
            assert status == 400
            assert answer["error"]


class TestSessionIds:
    async def test_ids_cannot_be_guessed(self, tmp_path: Path) -> None:
        async with launching(tmp_path, ports=20) as running:
            ids = [(await running.start("good"))["id"] for _ in range(8)]
            for part in (slice(8), slice(9, 18), slice(19, 36)):  # neither of a clock nor of a machine
                assert len({one[part] for one in ids}) == 8
            for guess in ("", "*", "%2e%2e", ids[0][:-1], ids[0].upper(), ids[0] + "x", "..%2f" + ids[0]):
                assert (await running.ask("GET", guess))[0] in (400, 404)
                assert (await running.ask("DELETE", guess))[0] in (404, 405)
            assert len(running.launcher.sessions) == 8

    async def test_nobody_lists_sessions_without_the_administrators_token(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("the administrator's")
        async with launching(tmp_path, admin_token_file=str(tmp_path / "token"), delete=False) as running:
            session = await running.start("good")
            for token in (None, "", "Bearer", "Bearer x", "Basic the administrator's"):
                headers = {} if token is None else {"Authorization": token}
                assert (await running.ask("GET", headers=headers))[0] == 404
                assert (await running.ask("DELETE", session["id"], headers=headers))[0] == 404

    async def test_switched_off_unless_configured(self, tmp_path: Path) -> None:
        async with launching(tmp_path, get=False, delete=False) as running:
            session = await running.start("good")
            assert (await running.ask("GET", session["id"]))[0] == 404
            assert (await running.ask("DELETE", session["id"]))[0] == 404


class TestLeaks:
    @pytest.mark.parametrize("application", ["failing", "missing", "instant"])
    async def test_a_failure_tells_neither_secret_nor_command(self, tmp_path: Path, application: str) -> None:
        async with launching(tmp_path) as running:
            _, answer = await running.post(application, secret="posted secret")
            text = json.dumps(answer)
        for leak in ("posted secret", "/does/not/exist", "python", str(tmp_path), "Traceback", "sys.argv"):
            assert leak not in text

    async def test_a_secret_is_removed_from_the_log_also_where_that_is_cut(self, tmp_path: Path) -> None:
        program = "import sys; print('x' * 40); [print(sys.argv[1] * 2) for _ in range(300)]; sys.exit(1)"
        async with launching(tmp_path, apps={"chatty": app(program, "${secret}", "${name}")}) as running:
            seen: list[str] = []
            lease = running.launcher._lease

            async def noticing(*arguments: Any) -> Any:
                session = await lease(*arguments)
                seen.append(session.values["secret"])
                return session

            running.launcher._lease = noticing  # type: ignore[method-assign]
            _, answer = await running.post("chatty", name="x")
            for n in range(len(seen[0]) - 5):
                assert seen[0][n : n + 6] not in answer["log"]

    async def test_the_launchers_log_holds_no_secret(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG", "wslink")
        async with launching(tmp_path) as running:
            session = await running.start("secret")
            (only,) = running.launcher.sessions.values()
            await running.post("failing")
            for path in (f"{only.values['token']}/", "wrong/", f"{only.values['token']}/ws"):
                for headers in ({}, {"Origin": EVIL}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
                    await running.ask("GET", f"session/{session['id']}/{path}", headers=headers)
            await running.ask("DELETE", session["id"])
        assert "ended" in caplog.text
        for secret in (session["secret"], only.values["token"], session["id"]):
            assert secret not in caplog.text

    async def test_the_secret_is_answered_only_where_the_application_has_it(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            assert "secret" not in await running.start("good")
            assert len((await running.start("secret"))["secret"]) == 32

    async def test_files_are_for_their_owner(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            await running.start("secret")
            files = [one for one in (tmp_path / "log").iterdir() if one.suffix in (".txt", ".sqlite")]
            assert len(files) == 2
            assert all(one.stat().st_mode & 0o077 == 0 for one in (*files, tmp_path / "log"))

    async def test_an_exception_is_no_traceback(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            running.launcher._ports.take = lambda: 1 / 0  # type: ignore[method-assign]
            status, answer = await running.post("good")
            assert status == 500
            assert "division" not in json.dumps(answer)


class TestQuantity:
    async def test_sessions_per_client(self, tmp_path: Path) -> None:
        async with launching(tmp_path, trusted_proxies=[], sessions_per_client=2) as running:
            sessions = [await running.start("good") for _ in range(2)]
            assert (await running.post("good"))[0] == 429
            await running.ask("DELETE", sessions[0]["id"])
            await running.start("good")

    async def test_starts_per_minute_count_failures_too(self, tmp_path: Path) -> None:
        async with launching(tmp_path, trusted_proxies=[], starts_per_minute=3) as running:
            statuses = [(await running.post("missing"))[0] for _ in range(5)]
            assert statuses == [503, 503, 503, 429, 429]

    async def test_clients_behind_a_trusted_proxy_are_told_apart(self, tmp_path: Path) -> None:
        async with launching(tmp_path, sessions_per_client=1) as running:
            for address, status in (("9.9.9.1", 200), ("9.9.9.2", 200), ("9.9.9.1", 429)):
                headers = {"X-Forwarded-For": f"1.2.3.{status % 7}, {address}"}  # the first is a claim
                assert (await running.post("good", headers=headers))[0] == status

    async def test_a_client_does_not_choose_its_address(self, tmp_path: Path) -> None:
        async with launching(tmp_path, sessions_per_client=1, trusted_proxies=["10.0.0.1"]) as running:
            await running.start("good")
            assert (await running.post("good", headers={"X-Forwarded-For": "9.9.9.9"}))[0] == 429


async def test_a_burst_of_hostile_requests_leaves_nothing(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        bad = [{"application": "named", "name": text, "file": "../x"} for text in COMMANDS] * 3
        answers = await asyncio.gather(*(running.ask("POST", json=one) for one in bad))
        assert {status for status, _ in answers} == {400}
        assert running.free_ports() == 4
    assert processes() == []


def test_a_script_must_not_hold_posted_text(tmp_path: Path) -> None:
    from tests.launcher.support import configuration
    from wslink.errors import ConfigurationError
    from wslink.launcher.validation import convert

    shell = {"shell": {"cmd": ["sh", "-c", f"echo ${{name}}; {READY}; {SLEEP}"], "ready_line": "x"}}
    with pytest.raises(ConfigurationError, match=r"apps\.shell\.cmd\.2: a script must not hold what clients post"):
        convert(configuration(tmp_path, apps=shell))
    rule = {"name": {"type": "inList", "list": ["a"], "default": "a"}}
    convert(configuration(tmp_path, apps=shell, sanitize=rule))
    # Nor a script that a spawner runs.
    start = {"start": ["bash", "-ec", "engine run --name ${name}"], "poll": ["true"], "stop": ["true"]}
    shell = {"shell": {"cmd": ["program", "${name}"], "spawner": "command", "options": start}}
    with pytest.raises(ConfigurationError, match=r"apps\.shell\.options\.start\.2: a script must not hold"):
        convert(configuration(tmp_path, apps=shell))
    convert(configuration(tmp_path, apps=shell, sanitize=rule))
