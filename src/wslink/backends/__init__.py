"""Connections: what carries a session's frames in and out. One package per engine."""
