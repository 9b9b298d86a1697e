import importlib

importlib.import_module("wslink.compat.server").start()
