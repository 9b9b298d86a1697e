"""PyVista's trame viewer, in a page."""
