"""Playback of recordings: to pages, in tests, and as static sites."""
