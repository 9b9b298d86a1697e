from wslink.compat.alias import alias
from wslink.compat.relay import *  # noqa: F403

alias(__name__, "wslink.compat.relay")
