from wslink.compat.alias import alias
from wslink.compat.jupyter import *  # noqa: F403

alias(__name__, "wslink.compat.jupyter")
