"""Serve a cone that VTK renders, and the page that shows it: python -m examples.vtk_remote --port 8080."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import vtkmodules.vtkInteractionStyle
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  the classes that vtkRenderingCore makes
from vtkmodules.vtkFiltersSources import vtkConeSource
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkRenderWindowInteractor,
)
from vtkmodules.web import protocols
from vtkmodules.web import wslink as vtk_wslink

from wslink import register, server
from wslink.websocket import LinkProtocol

PAGE = Path(__file__).parent / "page" / "dist"

# Rendering blocks this thread: another one serves pages meanwhile (docs/threads.md).
os.environ.setdefault("WSLINK_APPLICATION_THREAD", "1")

# Without a screen VTK would look for one first, and complain.
if sys.platform == "linux" and "DISPLAY" not in os.environ:
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


class Scene:
    """A cone in a window that no screen shows."""

    def __init__(self) -> None:
        self.cone = vtkConeSource()
        self.cone.SetResolution(6)
        mapper = vtkPolyDataMapper()
        mapper.SetInputConnection(self.cone.GetOutputPort())
        actor = vtkActor()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(0.3, 0.7, 0.9)
        actor.GetProperty().SetEdgeVisibility(True)
        self.renderer = vtkRenderer()
        self.renderer.AddActor(actor)
        self.renderer.SetBackground(0.13, 0.14, 0.17)
        self.window = vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.AddRenderer(self.renderer)
        # The page's mouse events go to an interactor, as a screen's would.
        self.interactor = vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.GetInteractorStyle().SetCurrentStyleToTrackballCamera()
        self.renderer.ResetCamera()
        self.window.Render()


class ConeProtocol(LinkProtocol):
    """What the page calls beside the methods of a view."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene

    @register("cone.sides")
    def sides(self, count: int) -> int:
        self.scene.cone.SetResolution(max(3, min(int(count), 60)))
        application = self.getSharedObject("app")
        application.InvalidateCache(self.scene.window)
        application.InvokeEvent("UpdateEvent")
        return self.scene.cone.GetResolution()


class Server(vtk_wslink.ServerProtocol):
    """VTK's own web layer, with the scene as its active view."""

    key = "wslink-secret"  # the released default; --authKey sets another

    def initialize(self) -> None:
        scene = Scene()
        for protocol in (
            protocols.vtkWebMouseHandler(),
            protocols.vtkWebViewPort(),
            protocols.vtkWebPublishImageDelivery(decode=False),
            ConeProtocol(scene),
        ):
            self.registerVtkWebProtocol(protocol)
        self.updateSecret(self.key)
        application = self.getApplication()
        application.SetImageEncoding(0)  # frames are bytes, not text
        application.GetObjectIdMap().SetActiveObject("VIEW", scene.window)

    def port_callback(self, port: int) -> None:
        print(f"serving on http://localhost:{port}/", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    server.add_arguments(parser)
    parser.set_defaults(content=str(PAGE), timeout=0)
    options: Any = parser.parse_args()
    Server.key = options.authKey
    server.start_webserver(options, Server)


if __name__ == "__main__":
    main()
