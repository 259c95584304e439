// Takes an idempotency key, or waits for who holds it and returns what it was used for.
// parameters: id, bodyHash, createdAt
// returns: bodyHash, answer
MERGE (k:IdempotencyKey {id: $id})
ON CREATE SET k.bodyHash = $bodyHash, k.createdAt = $createdAt
ON MATCH SET k.createdAt = k.createdAt
RETURN k.bodyHash AS bodyHash, k.answer AS answer
