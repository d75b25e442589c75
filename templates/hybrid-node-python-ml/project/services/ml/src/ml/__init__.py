"""Serves and trains the model."""
