"""`python -m tests`: the command line, with the task of the tests."""

from ml.cli import main

main()
