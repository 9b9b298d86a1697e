"""An interactive hill-shading viewer of a real elevation model: `python -m examples.terrain`."""
