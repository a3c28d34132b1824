"""`python -m florin`: the command line, where the script is not on the path."""

from florin.cli import main

if __name__ == "__main__":
    main()
