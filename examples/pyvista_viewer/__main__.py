"""Runs the example: python -m examples.pyvista_viewer [--port PORT] [--server]"""

from examples.pyvista_viewer.app import Viewer

Viewer().server.start()
