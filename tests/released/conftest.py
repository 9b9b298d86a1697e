from .hooks import *
