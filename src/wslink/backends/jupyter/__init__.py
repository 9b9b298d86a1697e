"""The Jupyter backend: connections over a kernel's comm."""

from wslink.backends.jupyter.core import create_webserver, startWebServer

__all__ = ["create_webserver", "startWebServer"]
