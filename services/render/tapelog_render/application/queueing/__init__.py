"""The queue: its order, what ends a job before its turn, and its agreement with the log."""
