"""Defect 22: getSharedObject before any setSharedObject raises AttributeError."""

from wslink.websocket import LinkProtocol, ServerProtocol

from ..released.package import defect


@defect(22)
def test_nothing_is_shared_yet():
    server, link = ServerProtocol(), LinkProtocol()
    server.registerLinkProtocol(link)
    assert server.getSharedObject("app") is None
    assert link.getSharedObject("app") is None
