"""The compiled inner loops: C in one file per family, called through ctypes, each with a plain twin as its oracle."""
