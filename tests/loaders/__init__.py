"""Loaders: readers, mappings, imports into both engines, exports."""
