"""The package's version. It names the released API that this package is compatible with: that of 2.6.0."""

__version__ = "2.6.0.post1"
