"""`python -m ml`."""

from ml.cli import main

main()
