"""Defect 32: `fields` grows with every request; endpoints with several segments break session ids."""

from wslink.launcher import filterResponse

from ..released.launching import Launcher
from ..released.package import defect


@defect(32)
def test_fields_stay_as_they_are():
    fields = ["host"]
    for _ in range(3):
        assert filterResponse({"id": 1, "host": 2, "cmd": 3}, fields) == {"id": 1, "host": 2}
    assert fields == ["host"]


@defect(32)
def test_an_endpoint_of_several_segments(tmp_path):
    environment = {"WSLINK_LAUNCHER_GET": "1"}
    with Launcher(tmp_path / "launcher", environment, first=19151, endpoint="a/deep/place") as launcher:
        status, session = launcher.post(application="open", name="x")
        assert status == 200
        assert launcher.ask("GET", session["id"])[0] == 200
