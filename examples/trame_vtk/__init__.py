"""A trame application with a VTK view that Python renders."""
