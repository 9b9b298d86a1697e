"""Defect 27: the launcher's secrets come from a non-cryptographic generator; errors echo the whole command."""

import random

from wslink import launcher

from ..released.launching import Launcher
from ..released.package import defect


@defect(27)
def test_a_seed_does_not_repeat_a_secret():
    passwords = []
    for _ in range(2):
        random.seed(0)
        passwords.append(launcher.generatePassword())
    assert passwords[0] != passwords[1]


@defect(27)
def test_an_error_does_not_tell_the_command(tmp_path):
    with Launcher(tmp_path / "launcher", first=19121) as running:
        status, answer = running.post(application="broken", secret="very secret")
    assert status == 503
    assert "very secret" not in answer["error"] and "/does/not/exist" not in answer["error"]
