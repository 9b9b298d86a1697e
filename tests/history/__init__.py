"""Clients and a server that log what was sent, received and executed over lines that are cut, and a checker of that."""
