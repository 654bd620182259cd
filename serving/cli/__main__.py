"""`python -m serving.cli` is the command `forestock`."""

from serving.cli.app import main

main()
