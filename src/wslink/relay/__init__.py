"""The relay: carries WebSockets to servers that browsers cannot reach."""

from wslink.lazy import compat

__getattr__ = compat(__name__)
