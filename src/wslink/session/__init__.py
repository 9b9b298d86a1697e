"""One client as its server sees it: hello, features, state, and the bounded queue of outgoing messages."""
