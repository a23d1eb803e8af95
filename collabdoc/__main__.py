"""`python -m collabdoc`."""

from collabdoc.cli import main

main()
