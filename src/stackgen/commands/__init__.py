"""What each command does, from what was given to an outcome: one file a command, each the visible list of its steps."""
