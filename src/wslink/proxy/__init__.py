"""Bytes from socket to socket: proxied WebSockets, and connections that are passed to another process."""
