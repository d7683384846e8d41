"""`python -m hrp` is the `hrp` command."""

from hrp.cli import main

if __name__ == "__main__":
    main()
