"""The Tornado backend: static files and WebSockets."""

from wslink.backends.tornado.core import create_webserver, startWebServer

__all__ = ["create_webserver", "startWebServer"]
