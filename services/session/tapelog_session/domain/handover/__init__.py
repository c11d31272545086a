"""Delivery packages: what belongs in them, under which names, with which credits."""
