"""Fuzzing: bytes of a hostile peer against everything that reads them. `python -m tests.fuzz NAME --seconds N`.

One file per target. Each has `SEEDS`, the inputs to begin with (those of the shared vectors, and each fault that was
found), and `run(data)`, which raises only where something is wrong. See `harness` for what else must not happen.
"""
