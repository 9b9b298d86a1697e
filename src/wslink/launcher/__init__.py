"""Sessions on request: one process per user, started, watched and ended."""

from wslink.lazy import compat

__getattr__ = compat(__name__)
