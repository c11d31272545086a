"""Recording: tracks, takes, their checks, comps."""
