"""Observers of a running server, such as metrics. None is imported, or costs anything, unless it is asked for."""
