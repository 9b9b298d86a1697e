"""Tunnels: a WebSocket that a proxy carries to its target byte by byte."""
