"""What carries the frames of a session. One module or package per kind of connection."""
