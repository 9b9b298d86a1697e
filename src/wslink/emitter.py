from wslink.compat.alias import alias
from wslink.compat.emitter import *  # noqa: F403

alias(__name__, "wslink.compat.emitter")
