from wslink.compat.alias import alias
from wslink.compat.generic import *  # noqa: F403

alias(__name__, "wslink.compat.generic")
