// Forgets an import.
// parameters: id
// returns: none
MATCH (i:ImportBatch) WHERE i.id = $id
DELETE i
