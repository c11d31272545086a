"""Delivery packages built, handed over and archived."""
