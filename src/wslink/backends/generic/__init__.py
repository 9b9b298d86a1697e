"""The generic backend: connections in memory, for software that has a transport of its own."""

from wslink.backends.generic.core import create_webserver, startWebServer

__all__ = ["create_webserver", "startWebServer"]
