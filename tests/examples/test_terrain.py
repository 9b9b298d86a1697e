"""The demo's elevation model, shading and renderer. tests/browser drives all of it together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples.terrain import shading
from examples.terrain.elevation import LEVELS, TILE, Elevation, Pyramid, Tile
from examples.terrain.renderer import Light, Picture, Renderer, View


def plane(east: float, south: float) -> Elevation:
    rows, columns = np.mgrid[0:40, 0:30]
    return Elevation(500 + 100 * (rows * south + columns * east), spacing=(100.0, 100.0))


@pytest.fixture(scope="module")
def pyramid() -> Pyramid:
    return Pyramid(Elevation.jacksboro())


def test_the_surface_is_the_plane_that_its_samples_lie_on():
    surface = plane(east=0.5, south=-0.25)
    x, y = np.array([450.0, 1000.0, 1234.5]), np.array([450.0, 2000.0, 3210.0])
    expected = 500 + 0.5 * (x - 50) - 0.25 * (y - 50)  # samples are the middles of their cells
    np.testing.assert_allclose(surface.at(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(surface.raster(x, y).diagonal(), expected, rtol=1e-5)


def test_beyond_the_edges_the_elevation_is_that_of_the_edge():
    surface = plane(east=1, south=1)
    far = surface.at(np.array([-1e9, 1e9, np.nan]), np.array([-1e9, 1e9, np.nan]))
    np.testing.assert_allclose(far[:2], [surface.lowest, surface.highest], rtol=0.05)
    assert np.isfinite(far).all()


def test_a_profile_has_equal_steps_and_the_length_of_its_line():
    elevation, length = plane(east=1, south=0).profile([(500, 500), (1500, 500), (1500, 2500)], samples=301)
    assert length == 3000
    np.testing.assert_allclose(np.diff(elevation[:101]), 10, atol=0.1)
    np.testing.assert_allclose(elevation[101:], elevation[-1], atol=0.1)


def test_horn_measures_the_slope():
    rows, columns = np.mgrid[0:6, 0:5].astype(np.float32)
    east, south = shading.horn(30 * columns - 12 * rows, resolution=10.0)
    np.testing.assert_allclose(east, 3)
    np.testing.assert_allclose(south, -1.2, rtol=1e-5)


@pytest.mark.parametrize(("azimuth", "east", "south"), [(0, 0, 1), (90, -1, 0), (180, 0, -1), (270, 1, 0)])
def test_a_slope_that_faces_the_sun_is_lit_and_the_other_is_not(azimuth, east, south):
    rows, columns = np.mgrid[0:10, 0:10].astype(np.float32)
    land = shading.relief(600 + 5 * (east * columns + south * rows), resolution=10.0)  # falls towards the sun
    lit, dark = (shading.shade(land, azimuth + turn, 30)[..., :3].mean() for turn in (0, 180))
    assert lit > 2 * dark


def test_pixels_are_opaque_and_cannot_be_changed_while_they_are_sent(pyramid):
    tile = Tile(1, 1, 1)  # at the south-east corner: smaller than the others
    pixels = shading.shade(shading.relief(pyramid.elevations(tile, 1), pyramid.resolution(1)), 315, 45)
    width, height = pyramid.size(1)
    assert pixels.shape == (height - TILE, width - TILE, 4)
    assert (pixels[..., 3] == 255).all()
    assert not pixels.flags.writeable


def test_neighbouring_tiles_meet_without_a_seam(pyramid):
    left, right = (pyramid.elevations(Tile(3, 2, column), border=1) for column in (2, 3))
    np.testing.assert_array_equal(left[:, -2:], right[:, :2])


def test_the_tiles_of_every_level_cover_the_land(pyramid):
    for level in range(LEVELS):
        rows, columns = pyramid.counts(level)
        width, height = pyramid.size(level)
        assert sum(tile.level == level for tile in pyramid.tiles) == rows * columns
        assert (columns - 1) * TILE < width <= columns * TILE
        assert (rows - 1) * TILE < height <= rows * TILE


ROW = [Tile(1, 0, 0), Tile(1, 0, 1)]
INSIDE = [Tile(3, 2, 2), Tile(3, 2, 3)]


@pytest.fixture
def renderer(pyramid) -> Renderer:
    return Renderer(pyramid, Light(0, 315, 40))


def pictures(renderer: Renderer, view: View, quality: float = 1.0, still: bool = False) -> list[Picture]:
    return list(iter(lambda: renderer.render(view, quality, still), None))


def test_a_view_gets_what_enters_it_and_nothing_twice(renderer):
    view = View()
    view.look_at(ROW)
    assert [picture.tile for picture in pictures(renderer, view)] == ROW
    view.look_at([*ROW, Tile(1, 1, 0)])
    assert [picture.tile for picture in pictures(renderer, view)] == [Tile(1, 1, 0)]


def test_what_may_not_have_been_sent_before_a_move_is_rendered_again(renderer):
    view = View()
    view.look_at(ROW)
    assert renderer.render(view, 1.0, False).tile == ROW[0]
    view.look_at(ROW)
    assert [picture.tile for picture in pictures(renderer, view)] == ROW


def test_lights_that_are_overtaken_are_not_rendered(renderer):
    view = View()
    view.look_at(ROW)
    first = renderer.render(view, 1.0, False)
    for azimuth in range(10, 60, 10):
        renderer.turn(azimuth, 30)
    seen = pictures(renderer, view)
    assert [(one.tile, one.light.number, one.frame) for one in [first, *seen]] == [
        *((tile, 0, 0) for tile in ROW),
        *((tile, 5, 1) for tile in ROW),
    ]


def test_a_view_that_moved_on_is_not_rendered(renderer):
    view = View()
    view.look_at(ROW)
    renderer.render(view, 1.0, False)
    view.look_at([Tile(0, 0, 0)])
    renderer.turn(90, 30)
    assert [(one.tile, one.frame) for one in pictures(renderer, view)] == [(Tile(0, 0, 0), 0), (Tile(0, 0, 0), 1)]


def test_fewer_pixels_are_rendered_at_a_lower_quality_and_all_at_rest(renderer):
    view = View()
    view.look_at(INSIDE)
    blurred = pictures(renderer, view, quality=0.3)
    assert [(one.step, one.pixels.shape) for one in blurred] == [(2, (TILE // 2, TILE // 2, 4))] * 2
    assert pictures(renderer, view, quality=0.3) == []
    sharp = pictures(renderer, view, still=True)
    assert [(one.tile, one.step, one.frame, one.size) for one in sharp] == [
        (tile, 1, 0, (TILE, TILE)) for tile in INSIDE
    ]
    np.testing.assert_array_equal(blurred[0].pixels, sharp[0].pixels[::2, ::2])
    assert pictures(renderer, view, still=True) == []
