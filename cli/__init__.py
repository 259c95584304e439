"""The `offerpath` command: a composition root, one command a module."""
