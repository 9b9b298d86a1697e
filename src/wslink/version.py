"""The version, which also says which released API this package serves: that of 2.6.0."""

__version__ = "2.6.0.post1"
