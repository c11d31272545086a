"""The usage ledger, and the statements made of it."""
