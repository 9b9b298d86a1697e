from wslink.compat.alias import alias
from wslink.compat.protocol import *  # noqa: F403

alias(__name__, "wslink.compat.protocol")
