"""The Python client: calls and subscriptions over asyncio."""
