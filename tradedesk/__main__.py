"""`python -m tradedesk`."""

from tradedesk.cli import main

if __name__ == "__main__":
    main()
