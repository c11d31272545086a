"""What commands print: tables, JSON, progress and what to do next."""
