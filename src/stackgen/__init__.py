"""stackgen: recommends a backend stack, generates the project and keeps it up to date."""
