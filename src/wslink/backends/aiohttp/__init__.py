"""The aiohttp engine: HTTP and WebSocket on one port."""
