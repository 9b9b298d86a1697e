"""Transports carry the frames of sessions. There is one module or package for each kind of connection."""
