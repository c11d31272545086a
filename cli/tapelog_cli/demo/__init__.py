"""`tapelog demo`: one song from raw stems to a delivered master, played by its people through the client SDK."""
