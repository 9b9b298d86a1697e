"""Where sessions run. One module per kind; `base` has the interface."""
