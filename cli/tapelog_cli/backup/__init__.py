"""Copies of a whole installation: made while it runs, checked, and put back into an empty folder."""
