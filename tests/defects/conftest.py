from ..released.hooks import *
