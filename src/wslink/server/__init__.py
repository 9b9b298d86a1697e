"""The server of an application: HTTP, options, TLS, signals, command line."""

from collections.abc import Callable
from typing import Any

from wslink.lazy import compat

__getattr__: Callable[[str], Any] = compat(__name__)
