from ..released.hooks import *  # noqa: F403
