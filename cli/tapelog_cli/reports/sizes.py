"""Sizes of files as a report tells them."""


def size_words(size_bytes: int) -> str:
    """Return a size without a break in it: "1.8 MB", "0.5 kB"."""
    in_mb = size_bytes >= 100_000
    return f"{size_bytes / (1e6 if in_mb else 1e3):.1f}\u00a0{'MB' if in_mb else 'kB'}"
