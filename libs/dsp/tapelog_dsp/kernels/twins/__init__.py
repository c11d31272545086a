"""Plain twins of the kernels: slow, readable, equal bit for bit; oracles on short clips, never a way to render."""
