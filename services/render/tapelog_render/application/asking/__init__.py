"""Asking for renders: what is asked is checked, sized, and becomes jobs."""
