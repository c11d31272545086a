"""What follows from a fact without anybody asking: renders, their outcomes, deadlines."""
