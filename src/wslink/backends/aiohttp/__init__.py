from wslink.compat.aiohttp import *  # noqa: F403
from wslink.compat.alias import alias

alias(__name__, "wslink.compat.aiohttp")
