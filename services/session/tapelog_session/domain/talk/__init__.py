"""Notes and disagreements."""
