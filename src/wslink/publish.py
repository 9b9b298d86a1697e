from wslink.compat.alias import alias
from wslink.compat.publish import *  # noqa: F403

alias(__name__, "wslink.compat.publish")
