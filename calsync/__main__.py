"""``python -m calsync``: the same as the ``calsync`` command."""

from calsync.cli.main import run

if __name__ == "__main__":
    run()
