// Every Counter with all its properties, for a backup.
// parameters: none
// returns: id!, value
MATCH (n:Counter)
RETURN n.id AS id, n.value AS value
