"""Defect 26: a posted key that equals a property's name overrides it: a cross-site POST ran a script."""

import stat

import pytest

from ..released.launching import Launcher
from ..released.package import defect


@pytest.fixture
def script(tmp_path):
    """An executable that leaves a mark when it is run."""
    path = tmp_path / "attack.sh"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\necho now ready\nsleep 60\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@defect(26)
def test_a_property_is_the_configurations(tmp_path, script):
    with Launcher(tmp_path / "launcher", first=19101) as launcher:
        launcher.post(application="open", name="x", python=str(script))
    assert not (tmp_path / "mark").exists()


@defect(26)
def test_a_page_of_another_origin_cannot_post_text(tmp_path):
    """A browser sends text/plain anywhere without asking first."""
    with Launcher(tmp_path / "launcher", first=19111) as launcher:
        payload = {"application": "open", "name": "x"}
        status, _ = launcher.ask("POST", payload=payload, kind="text/plain", Origin="https://evil.example")
    assert 400 <= status < 500


def test_a_page_of_the_launchers_own_origin_posts_text(tmp_path):
    """As released clients do."""
    with Launcher(tmp_path / "launcher", first=19116) as launcher:
        payload, page = {"application": "open", "name": "x"}, f"http://127.0.0.1:{launcher.port}"
        status, _ = launcher.ask("POST", payload=payload, kind="text/plain", Origin=page)
    assert status == 200
