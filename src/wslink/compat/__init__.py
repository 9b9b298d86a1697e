"""The released API of wslink, camelCase included, on top of everything else. `App` programs load none of it."""
