"""Servers that the tests start once and stop at the end."""
