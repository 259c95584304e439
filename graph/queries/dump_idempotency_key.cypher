// Every IdempotencyKey with all its properties, for a backup.
// parameters: none
// returns: id!, bodyHash, answer, createdAt
MATCH (n:IdempotencyKey)
RETURN n.id AS id, n.bodyHash AS bodyHash, n.answer AS answer, n.createdAt AS createdAt
