"""What watches a running server: metrics. None of it is imported, or costs anything, unless it is asked for."""
