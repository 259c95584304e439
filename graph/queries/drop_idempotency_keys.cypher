// Removes idempotency keys older than a time.
// parameters: before
// returns: none
MATCH (k:IdempotencyKey) WHERE k.createdAt < $before
DELETE k
