"""The audit log: who did what, when, to what, and from where."""
