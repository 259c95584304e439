"""New matches: what the log says has changed becomes match events, each told once and in order."""
