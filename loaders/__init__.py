"""Data in and out: read a source, map, validate, clean, hand rows to the graph; export."""
