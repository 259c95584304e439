// Every Category with all its properties, for a backup.
// parameters: none
// returns: id!, name, batchId
MATCH (n:Category)
RETURN n.id AS id, n.name AS name, n.batchId AS batchId
