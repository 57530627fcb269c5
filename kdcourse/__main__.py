"""`python -m kdcourse` is the command `kdcourse`."""

from kdcourse.cli import main

if __name__ == "__main__":
    main()
