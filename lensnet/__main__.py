"""`python -m lensnet`."""

from lensnet.cli import main

if __name__ == "__main__":
    main()
