"""Commands on event-sourced aggregates: loaded, decided, appended, remembered."""
