from wslink.compat.alias import alias
from wslink.compat.uri import *  # noqa: F403

alias(__name__, "wslink.compat.uri")
