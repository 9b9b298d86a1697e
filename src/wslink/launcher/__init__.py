"""Sessions on request: one process per user, started, watched and ended."""

from collections.abc import Callable
from typing import Any

from wslink.lazy import compat

__getattr__: Callable[[str], Any] = compat(__name__)
