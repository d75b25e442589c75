"""The tests: `uv run pytest`."""
