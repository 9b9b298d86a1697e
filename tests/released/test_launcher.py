"""The launcher: its pieces, and `python -m wslink.launcher CONFIG` as a process."""

import argparse
import json
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from wslink import launcher

from .launching import Launcher, configuration
from .serving import write_site


class TestPieces:
    def test_comments_are_removed(self):
        text = '{"a": "http://x", // one\n "b": /* two\n lines */ 1}'
        assert json.loads(launcher.remove_comments(text)) == {"a": "http://x", "b": 1}

    def test_variables_are_replaced(self):
        assert launcher.replaceVariables("${a}-$b-${c}", [{"a": 1, "c": "x"}, {"b": 2, "c": "y"}], {}) == "1-2-x"
        assert launcher.replaceList(["${a}", "plain"], [{"a": 1}], {}) == ["1", "plain"]

    def test_values_are_sanitized(self):
        rules = {
            "kind": {"type": "inList", "list": ["a", "b"], "default": "a"},
            "name": {"type": "regexp", "regexp": "^[a-z]+$", "default": "none"},
        }
        posted = {"kind": "c", "name": "x; rm", "free": "?"}
        assert launcher.replaceVariables("$kind $name $free", [posted], rules) == "a none ?"
        assert launcher.replaceVariables("$kind $name", [{"kind": "b", "name": "fine"}], rules) == "b fine"

    def test_ports_are_a_pool(self):
        pool = launcher.ResourceManager([{"host": "h", "port_range": [9001, 9003]}])
        taken = [pool.getNextResource() for _ in range(3)]
        assert sorted(taken) == [("h", 9001), ("h", 9002), ("h", 9003)]
        assert pool.getNextResource() == (None, None)
        pool.freeResource("h", 9002)
        assert pool.getNextResource() == ("h", 9002)

    def test_the_host_with_most_ports_free_comes_first(self):
        pool = launcher.ResourceManager(
            [{"host": "small", "port_range": [1, 1]}, {"host": "large", "port_range": [1, 2]}]
        )
        assert pool.getNextResource()[0] == "large"

    def test_the_proxy_file(self, tmp_path):
        mapping = launcher.ProxyMappingManagerTXT(str(tmp_path / "proxy.txt"))
        mapping.update({"a-1": {"host": "h", "port": 1}, "b-2": {"host": "i", "port": 2}})
        assert (tmp_path / "proxy.txt").read_text() == "a-1 h:1\nb-2 i:2\n"
        mapping.update({})
        assert (tmp_path / "proxy.txt").read_text() == ""

    def test_a_configuration_is_read(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("// a comment\n" + json.dumps(configuration(tmp_path, 1)))
        config = launcher.parseConfig(SimpleNamespace(config=[str(path)]))
        assert config["configuration"]["content"] == "" and config["configuration"]["sanitize"] == {}

    @pytest.mark.parametrize(
        "missing", ["endpoint", "host", "port", "proxy_file", "sessionURL", "timeout", "log_dir", "fields"]
    )
    def test_a_configuration_must_be_complete(self, tmp_path, missing):
        config = configuration(tmp_path, 1)
        del config["configuration"][missing]
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(SystemExit) as exit:
            launcher.parseConfig(SimpleNamespace(config=[str(tmp_path / "config.json")]))
        assert exit.value.code == 2

    def test_options(self):
        parser = argparse.ArgumentParser()
        assert launcher.add_arguments(parser) is parser
        assert vars(parser.parse_args(["file"])) == {"config": ["file"], "debug": False, "backend": "aiohttp"}
        assert parser.parse_args(["file", "-d"]).debug is True


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("launcher")
    environment = {"WSLINK_LAUNCHER_GET": "1", "WSLINK_LAUNCHER_DELETE": "1"}
    with Launcher(folder, environment, content=str(write_site(folder / "www"))) as launcher:
        yield launcher


def log_of(launcher, session):
    return Path(launcher.folder / f"{session['id']}.txt").read_text()


def test_a_session_from_start_to_end(running):
    status, session = running.post(application="open", name="Ada")
    assert status == 200
    port = session["port"]
    assert session == {
        "id": session["id"],
        "host": "127.0.0.1",
        "port": port,
        "greeting": "hello Ada",
        "sessionURL": f"ws://USE_HOST:{port}/open/ws?id={session['id']}",
    }
    assert port in (19001, 19002)
    assert f"started with --port {port} Ada" in log_of(running, session)
    assert (running.folder / "proxy.txt").read_text() == f"{session['id']} 127.0.0.1:{port}\n"

    status, again = running.ask("GET", session["id"])
    assert status == 200 and again.items() <= session.items()

    status, _ = running.ask("DELETE", session["id"])
    assert status == 200
    assert (running.folder / "proxy.txt").read_text() == ""
    assert running.ask("DELETE", session["id"])[0] == 404


def test_the_pool_of_ports_is_finite(running):
    sessions = [running.post(application="open", name=str(number))[1] for number in range(2)]
    status, answer = running.post(application="open", name="third")
    assert status == 503 and answer["error"]
    for session in sessions:
        assert running.ask("DELETE", session["id"])[0] == 200
    status, session = running.post(application="open", name="fourth")
    assert status == 200
    running.ask("DELETE", session["id"])


def test_the_secret_is_told_where_the_command_uses_it(running):
    status, session = running.post(application="closed")
    assert status == 200
    assert len(session["secret"]) >= 16
    assert f"started with {session['secret']}" in log_of(running, session)
    running.ask("DELETE", session["id"])


@pytest.mark.parametrize("payload", [{}, {"app": "open"}])
def test_an_incomplete_request(running, payload):
    status, answer = running.ask("POST", payload=payload)
    assert status == 400 and answer["error"]


def test_unknown_sessions(running):
    assert running.ask("GET", "nothing")[0] == 400
    assert running.ask("DELETE", "nothing")[0] == 404


def test_pages_are_served(running):
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/") as response:
        assert response.url.endswith("/index.html") and response.read() == b"index"


def test_a_log_is_written(running):
    assert (running.folder / "launcherLog.log").exists()


def test_get_and_delete_are_off_by_default(tmp_path):
    with Launcher(tmp_path / "launcher", first=19011) as launcher:
        status, session = launcher.post(application="open", name="x")
        assert status == 200
        for method in ("GET", "DELETE"):
            assert launcher.ask(method, session["id"])[0] in (404, 405)


def test_a_command_that_does_not_exist(tmp_path):
    with Launcher(tmp_path / "launcher", first=19021) as launcher:
        status, answer = launcher.post(application="broken")
        assert status == 503 and answer["error"]
