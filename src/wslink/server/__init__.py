"""Applications and their servers: HTTP, options, TLS, signals and the command line."""

from collections.abc import Callable
from typing import Any

from wslink.lazy import compat

__getattr__: Callable[[str], Any] = compat(__name__)
