"""A trame application: a cone that Python renders, and a page that every browser shares."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import vtk
from trame.app import TrameApp
from trame.decorators import change, trigger
from trame.ui.vuetify3 import SinglePageLayout
from trame.widgets import vtk as vtk_widgets
from trame.widgets import vuetify3 as v3

DOWNLOAD = "utils.download('copy.bin', trigger('download'), 'application/octet-stream')"


class Viewer(TrameApp):
    """State that pages show and change: the cone's resolution, a count of clicks, and a file."""

    def __init__(self, server: Any = None) -> None:
        super().__init__(server, client_type="vue3")
        self.state.trame__title = "Cone"
        self.state.update({"resolution": 6, "clicks": 0, "file": None, "file_note": "no file"})
        self.kept = b""
        self.cone = vtk.vtkConeSource()
        self.window = self._make_scene()
        self._make_page()

    def _make_scene(self) -> vtk.vtkRenderWindow:
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputConnection(self.cone.GetOutputPort())
        actor = vtk.vtkActor()
        actor.SetMapper(mapper)
        renderer = vtk.vtkRenderer()
        renderer.SetBackground(0.1, 0.2, 0.4)
        renderer.AddActor(actor)
        renderer.ResetCamera()
        window = vtk.vtkRenderWindow()
        window.SetOffScreenRendering(1)  # needs no screen
        window.AddRenderer(renderer)
        interactor = vtk.vtkRenderWindowInteractor()
        interactor.SetRenderWindow(window)
        interactor.GetInteractorStyle().SetCurrentStyleToTrackballCamera()
        return window

    def _make_page(self) -> None:
        with SinglePageLayout(self.server) as page:
            page.title.set_text("Cone")
            # It is higher while a page waits for answers: pages would fight over the size of the view that they share.
            page.footer.hide()
            with page.toolbar:
                v3.VSpacer()
                v3.VSlider(v_model=("resolution",), min=3, max=60, step=1, hide_details=True, id="resolution")
                v3.VBtn("Clicked {{ clicks }} times", click=self.count, id="count")
                v3.VBtn("Reset camera", click=self.reset_camera, id="reset")
                v3.VFileInput(v_model=("file",), label="Upload", hide_details=True, id="upload")
                v3.VBtn("Download", click=DOWNLOAD, id="download")
                v3.VChip("{{ file_note }}", id="note")
            with page.content:
                self.view = vtk_widgets.VtkRemoteView(self.window, interactive_ratio=1)

    def count(self) -> None:
        self.state.clicks += 1

    def reset_camera(self) -> None:
        self.view.reset_camera()

    @change("resolution")
    def refine(self, resolution: float, **_: Any) -> None:
        self.cone.SetResolution(int(resolution))
        self.view.update()

    @change("file")
    def keep(self, file: dict[str, Any] | None, **_: Any) -> None:
        """What a page uploads arrives as bytes."""
        if file is None:
            return
        self.kept = file["content"]
        self.state.file_note = f"{file['name']}: {len(self.kept)} bytes, SHA-256 {sha256(self.kept).hexdigest()[:8]}"

    @trigger("download")
    def give(self) -> bytes:
        """What the page saves: the uploaded bytes, back to front."""
        return self.kept[::-1]
