from wslink.compat.alias import alias
from wslink.compat.chunking import *  # noqa: F403

alias(__name__, "wslink.compat.chunking")
