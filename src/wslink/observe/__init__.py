"""Observers of a running server, such as metrics. They are not imported, and cost nothing, unless they are enabled."""
