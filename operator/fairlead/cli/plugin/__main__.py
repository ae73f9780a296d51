"""`python -m fairlead.cli.plugin`: the same as `kubectl fairlead`."""

from fairlead.cli.plugin import main

if __name__ == "__main__":
    main()
