"""Numbers for operators: requests, saturation, tasks, and what apps add (docs/operations.md)."""
