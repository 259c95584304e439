"""What travels between the rooms: settings, errors, entities, the graph snapshot."""
