"""Reading: lists, searches, histories and resources, now or as they were."""
