// Every SchemaVersion with all its properties, for a backup.
// parameters: none
// returns: id!, version, graphId, appliedAt
MATCH (n:SchemaVersion)
RETURN n.id AS id, n.version AS version, n.graphId AS graphId, n.appliedAt AS appliedAt
