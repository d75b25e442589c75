"""Work that a worker does later: retries, schedules and recovery."""
