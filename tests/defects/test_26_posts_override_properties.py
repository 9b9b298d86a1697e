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
def test_a_page_cannot_post_text(tmp_path):
    """A browser sends text/plain anywhere without asking first."""
    with Launcher(tmp_path / "launcher", first=19111) as launcher:
        status, _ = launcher.ask("POST", payload={"application": "open", "name": "x"}, kind="text/plain")
    assert 400 <= status < 500
