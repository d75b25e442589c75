"""Data sets: uploaded, profiled by a worker, and read."""
