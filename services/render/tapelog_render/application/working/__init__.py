"""What a worker does with a job, from its sources to its one result."""
