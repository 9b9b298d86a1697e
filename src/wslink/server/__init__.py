"""The server of an application: HTTP, options, static files, TLS, signals, command line."""
