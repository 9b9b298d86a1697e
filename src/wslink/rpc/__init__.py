"""Remote procedure calls, for both ends of a connection. Independent of sessions, topics and sockets."""
