"""`python -m vecpack` is the command `vecpack`."""

from vecpack._command import main

if __name__ == "__main__":
    main()
