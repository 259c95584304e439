// The schema version of the graph and the graph's own id.
// parameters: none
// returns: version, graphId
MATCH (s:SchemaVersion) WHERE s.id = 'schema'
RETURN s.version AS version, s.graphId AS graphId
