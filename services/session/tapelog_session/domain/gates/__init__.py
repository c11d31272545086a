"""Stages: the way forward through gates, and the ways back."""
