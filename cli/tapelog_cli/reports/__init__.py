"""What `tapelog report` gathers, from files or from the services."""
