"""`python -m stackgen` is `stackgen`."""

from stackgen.cli import main

main()
