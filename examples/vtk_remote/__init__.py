"""A VTK scene rendered in Python and shown by vtk.js."""
