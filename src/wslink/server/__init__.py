"""The server of an application: HTTP, options, TLS, signals, command line."""

from wslink.lazy import compat

__getattr__ = compat(__name__)
