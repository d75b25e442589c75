"""The backend: one room for each subject, and `settings.py`, `urls.py` and `api.py` to join them."""
