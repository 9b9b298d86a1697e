"""Remote procedure calls, as either end of a connection makes and serves them: knows no session, topic or socket."""
