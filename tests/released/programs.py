"""Options and programs that start servers."""

import argparse

from wslink import server as wslink_server

#: Prints its port when it accepts and the configuration that it was given; goes on after the server has stopped.
PROGRAM = """
import sys
from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol

class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        return value

class App(ServerProtocol):
    key = None

    @staticmethod
    def configure(args):
        App.key = args.authKey
        print("configured", args.authKey, flush=True)

    def initialize(self):
        self.registerLinkProtocol(Echo())
        self.updateSecret(App.key)

    def port_callback(self, port):
        print("port", port, "end", flush=True)

server.start(protocol=App, description="a test")
print("went on", flush=True)
"""

#: A protocol that knows nothing: no configure, no callbacks.
BARE = "from wslink import server; server.start(); print('went on', flush=True)"


def options(*arguments, **more):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    wslink_server.add_arguments(parser)
    return argparse.Namespace(**{**vars(parser.parse_args(arguments)), "port": 0, "nosignalhandlers": True, **more})


def port_of(process):
    output = process.wait_for(" end")
    return int(output.split("port ")[1].split()[0])
