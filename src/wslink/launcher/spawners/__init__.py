"""Spawners: they start sessions, here or elsewhere. One module per kind; `base` has the interface."""
