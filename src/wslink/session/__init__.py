"""One peer as the server sees it: hello, dispatch of calls, subscriptions, and the bounded outbox."""
