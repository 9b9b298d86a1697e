"""Sessions on demand: one process per user, which is started, watched and stopped."""

from collections.abc import Callable
from typing import Any

from wslink.lazy import compat

__getattr__: Callable[[str], Any] = compat(__name__)
