"""`python -m vecpack` is the command `vecpack`."""

from vecpack._command import main

main()
