"""`python -m stackgen` is `stackgen`."""

import signal


def main() -> None:
    """Run the command of this process; until it can tidy up, Ctrl-C ends it without a word, as it ends any program."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stackgen import cli

    cli.main()


if __name__ == "__main__":
    main()
