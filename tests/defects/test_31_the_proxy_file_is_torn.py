"""Defect 31: the proxy file is rewritten in place, and read torn or empty."""

import threading

from wslink.launcher import ProxyMappingManagerTXT

from ..released.package import defect

SESSIONS = {f"session-{number}": {"host": "localhost", "port": 9000 + number} for number in range(300)}


@defect(31)
def test_a_reader_sees_every_session(tmp_path):
    path = tmp_path / "proxy.txt"
    mapping = ProxyMappingManagerTXT(str(path))
    mapping.update(SESSIONS)
    whole, seen, done = path.read_text(), set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(300):
        mapping.update(SESSIONS)
    done.set()
    reader.join()
    assert seen == {whole}
