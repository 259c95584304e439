// Keeps the answer that was given under an idempotency key.
// parameters: id, answer
// returns: none
MATCH (k:IdempotencyKey {id: $id})
SET k.answer = $answer
