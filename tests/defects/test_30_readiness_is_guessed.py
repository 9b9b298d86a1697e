"""Defect 30: readiness is looked for once a second; an early end costs the whole timeout; no ready_line kills a session."""

import concurrent.futures
import time

import pytest

from ..released.launching import Launcher
from ..released.package import defect

LISTENING = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"

APPS = {
    "ends": {"cmd": ["${python}", "-c", "print('bye')"], "ready_line": "now ready"},
    "unmarked": {"cmd": ["${python}", "-c", "${listening}", "${port}"]},
    "slow": {"cmd": ["${python}", "-c", "import time; time.sleep(1.2); print('bye')"], "ready_line": "now ready"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("launcher")
    with Launcher(
        directory, first=19141, count=9, apps=APPS, properties={"listening": LISTENING}, timeout=3
    ) as launcher:
        yield launcher


def timed(launcher, **payload):
    begin = time.monotonic()
    status, answer = launcher.post(**payload)
    return status, time.monotonic() - begin, answer


@defect(30)
def test_a_ready_process_is_told_at_once(running):
    status, seconds, _ = timed(running, application="open", name="x")
    assert status == 200 and seconds < 0.9


@defect(30)
def test_a_process_that_ends_is_told_at_once(running):
    status, seconds, _ = timed(running, application="ends")
    assert status == 503 and seconds < 2


@defect(30)
def test_without_a_ready_line_a_session_lives(running):
    status, _, answer = timed(running, application="unmarked")
    assert status == 200, answer


@defect(30)
def test_posts_at_the_same_time_do_not_disturb_each_other(running):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        failing = pool.submit(running.post, application="slow")
        time.sleep(1.4)  # "slow" has ended, but the request for it is still being answered
        assert running.post(application="open", name="y")[0] == 200
        assert failing.result()[0] == 503
