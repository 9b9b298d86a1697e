from wslink.compat.alias import alias
from wslink.compat.core import *  # noqa: F403

alias(__name__, "wslink.compat.core")
