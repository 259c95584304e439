"""The roots of writing, one kind of entity a file."""
