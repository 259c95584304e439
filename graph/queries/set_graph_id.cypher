// Gives the graph another id.
// parameters: graphId
// returns: none
MATCH (s:SchemaVersion) WHERE s.id = 'schema'
SET s.graphId = $graphId
