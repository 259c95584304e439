// Imports that are not finished.
// parameters: none
// returns: id!
MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
RETURN p.id AS id ORDER BY id
