"""The relay: carries WebSockets to servers that browsers cannot reach."""

from collections.abc import Callable
from typing import Any

from wslink.lazy import compat

__getattr__: Callable[[str], Any] = compat(__name__)
