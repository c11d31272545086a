"""Desk commands: what an engineer does with files alone, no service running."""
