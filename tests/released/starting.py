"""A protocol that notes how a server starts it."""

import asyncio

from .serving import Protocol


class Recorder(Protocol):
    """Notes what start_webserver does to a protocol, in order."""

    def __init__(self):
        self.events = []
        super().__init__()

    def initialize(self):
        super().initialize()
        self.events.append("initialize")

    def init(self, *args):
        super().init(*args)
        self.events.append("init")

    def set_server(self, server):
        self.server = server
        self.events.append("set_server")

    def port_callback(self, port):
        self.port = port
        self.loop = asyncio.get_running_loop()
        self.events.append("port_callback")
        self.ready.set()

    ready = None
