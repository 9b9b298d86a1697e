"""ASGI: a server inside Starlette, FastAPI or any other ASGI application, next to its routes."""
