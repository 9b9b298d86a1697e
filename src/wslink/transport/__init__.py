"""Transports: they carry the frames of sessions. One module or package per kind of connection."""
