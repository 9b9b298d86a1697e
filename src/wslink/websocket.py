from wslink.compat.alias import alias
from wslink.compat.websocket import *  # noqa: F403

alias(__name__, "wslink.compat.websocket")
