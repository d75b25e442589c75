"""Numbers for operators: requests, saturation, tasks, data sets (docs/operations.md)."""
