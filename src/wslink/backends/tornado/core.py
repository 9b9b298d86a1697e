from wslink.compat.alias import alias
from wslink.compat.tornado import *  # noqa: F403

alias(__name__, "wslink.compat.tornado")
