"""`python -m sanmai`: the command line, where the script `sanmai` is not on the path."""

from sanmai.cli import main

if __name__ == "__main__":
    main()
