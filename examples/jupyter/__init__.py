"""wslink in a Jupyter kernel: no port, no server, only the notebook's own connection."""
