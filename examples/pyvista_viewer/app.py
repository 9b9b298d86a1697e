"""A PyVista plot in PyVista's own viewer: its toolbar, and a picture that Python renders."""

from __future__ import annotations

from typing import Any

import pyvista
from trame.app import TrameApp
from trame.ui.vuetify3 import SinglePageLayout
from trame_pyvista.ui import plotter_ui


class Viewer(TrameApp):
    """Waves on a grid, coloured by height."""

    def __init__(self, server: Any = None) -> None:
        super().__init__(server, client_type="vue3")
        self.plotter = pyvista.Plotter(off_screen=True)  # needs no screen
        waves = pyvista.ParametricRandomHills(random_seed=1)
        waves["height"] = waves.points[:, 2]
        self.plotter.add_mesh(waves, scalars="height", smooth_shading=True)
        with SinglePageLayout(self.server) as page:
            page.title.set_text("Hills")
            with page.content:
                plotter_ui(self.plotter, mode="server")
