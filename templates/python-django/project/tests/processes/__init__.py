"""Tests with real processes, real signals and a database of their own."""
