from wslink.compat.alias import alias
from wslink.compat.ssl_context import *  # noqa: F403

alias(__name__, "wslink.compat.ssl_context")
