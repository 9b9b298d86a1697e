"""Runs the example: python -m examples.trame_vtk [--port PORT] [--server]"""

from examples.trame_vtk.app import Viewer

Viewer().server.start()
