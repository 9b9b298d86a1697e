"""Connections over the comm `wslink_comm`, which many pages and several servers of one kernel share.

A message's data is `{"server": name, "client": id}`; a binary frame is its one buffer, a text frame its `payload`.
"""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

from wslink.compat.emitter import EventEmitter
from wslink.compat.generic import GenericMessage, GenericServer, WsConnection, startWebServer

__all__ = [
    "JUPYTER_COMM", "EventEmitter", "GenericMessage", "JupyterGenericServer", "WsJupyterComm", "create_webserver",
    "startWebServer",
]  # fmt: skip

COMM_TARGET = "wslink_comm"

JUPYTER_COMM: WsJupyterComm | None = None
"""The one of this process."""


def get_jupyter_comm(kernel: Any = None) -> WsJupyterComm:
    """The WsJupyterComm of this process, which is created on first use, for `kernel` or the running one."""
    global JUPYTER_COMM
    if JUPYTER_COMM is None:
        JUPYTER_COMM = WsJupyterComm(kernel or get_ipython().kernel)
    return JUPYTER_COMM


class WsJupyterComm:
    """Accepts the comms that pages open, and passes each message to the server that it names.

    Attributes:
        comm: the comm that was opened last, or None.
        servers: the servers by name.
    """

    def __init__(self, kernel: Any) -> None:
        self.comm: Any = None
        self.servers: dict[str, JupyterGenericServer] = {}
        kernel.comm_manager.register_target(COMM_TARGET, self._opened)

    def _opened(self, comm: Any, _: Any) -> None:
        self.comm = comm
        comm.on_msg(lambda message: self._received(comm, message))
        comm.on_close(lambda _: self._closed(comm))

    def _received(self, comm: Any, message: dict[str, Any]) -> None:
        data = message["content"]["data"]
        server = self.servers.get(data.get("server"))
        if server is not None:
            server.received(comm, data, message.get("buffers") or [])

    def _closed(self, comm: Any) -> None:
        for server in self.servers.values():
            server.comm_closed(comm)
        if self.comm is comm:
            self.comm = None


class JupyterGenericServer(GenericServer):
    """Serves its first route to the pages that name it: `serverProtocol.server.name`."""

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        self.trame_comm: WsJupyterComm = get_jupyter_comm()
        self._endpoint = self._endpoints[self.ws_endpoints[0]]
        self._name: str = self._endpoint.serverProtocol.server.name  # type: ignore[attr-defined]
        self._connections: dict[str, tuple[Any, WsConnection]] = {}  # comm and connection by the page's id
        self.trame_comm.servers[self._name] = self

    def received(self, comm: Any, data: dict[str, Any], buffers: list[Any]) -> None:
        """A page has sent a frame. Its first frame opens a connection."""
        client = data["client"]
        known = self._connections.get(client)
        if known is None or known[1].closed:
            known = self._connections[client] = comm, self._connect(comm, client)
        content = buffers[0] if buffers else data.get("payload", "")
        self._endpoint.received(bool(buffers), content, known[1].client_id)

    def comm_closed(self, comm: Any) -> None:
        """The pages behind `comm` have gone."""
        for client, (its_comm, connection) in list(self._connections.items()):
            if its_comm is comm:
                del self._connections[client]
                connection.end()

    async def _serve(self, port_callback: Any) -> None:
        if not self._life.ending:
            self.trame_comm.servers[self._name] = self
        await super()._serve(port_callback)

    async def _shut_down(self) -> None:
        if self.trame_comm.servers.get(self._name) is self:
            del self.trame_comm.servers[self._name]
        await super()._shut_down()

    def _connect(self, comm: Any, client: str) -> WsConnection:
        connection = self._endpoint.open()

        async def send(is_binary: bool, content: Any) -> None:
            address = {"server": self._name, "client": client}
            if is_binary:
                comm.send(data=address, buffers=[content])
            else:
                comm.send(data={**address, "payload": content}, buffers=[])

        connection.on_message(send)
        return connection


def create_webserver(server_config: dict[str, Any]) -> JupyterGenericServer:
    """A JupyterGenericServer, which hears pages at once. Raises NotImplementedError for a reverse connection."""
    return JupyterGenericServer(server_config)
