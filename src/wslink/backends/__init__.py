from wslink.compat.alias import alias
from wslink.compat.backends import *  # noqa: F403

alias(__name__, "wslink.compat.backends")
