from wslink.compat.alias import alias
from wslink.compat.launcher import *  # noqa: F403

alias(__name__, "wslink.compat.launcher")
