"""`python -m hrp.demo`: twenty nights on real prices in a workspace of their own."""

from hrp.demo.cli import cli

if __name__ == "__main__":
    cli()
