// Sets the schema version; a graph keeps the id it was given first.
// parameters: graphId, version, appliedAt
// returns: none
MERGE (s:SchemaVersion {id: 'schema'})
ON CREATE SET s.graphId = $graphId
SET s.version = $version, s.appliedAt = $appliedAt
