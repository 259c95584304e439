"""Tests on the real data sets (OFFERPATH_DATA)."""
