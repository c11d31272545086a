"""The vision brief: its rules, what they find in recipes and sound, and what waives them."""
