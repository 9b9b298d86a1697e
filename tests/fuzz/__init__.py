"""Fuzz targets: one module each, with a function `target(data: bytes)` that raises for what must not be, and `CORPUS`,
inputs to begin with. `python -m tests.fuzz NAME --seconds N` runs one, `python -m tests.fuzz` lists them.

Where atheris is installed (`pip install atheris`, CPython 3.11) it chooses inputs by what they reach; otherwise they
are mutations of the corpus.
"""
