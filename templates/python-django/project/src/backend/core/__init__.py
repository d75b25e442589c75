"""What every part needs: health, logs, problems, pages."""
