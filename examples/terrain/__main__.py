"""`python -m examples.terrain`: see README.md."""

from .server import main

main()
