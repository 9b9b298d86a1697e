"""Recordings that are played: to pages, to tests, and as static sites."""
