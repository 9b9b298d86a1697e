"""An aiohttp application on a port, and its WebSocket endpoint."""
