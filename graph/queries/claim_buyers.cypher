// Locks the buyers with these ids and makes those that are not there, marked with the claim:
// what is returned cannot change before the transaction ends. To set a property locks the row; it is
// one that nothing else is read from, for what is set to itself may be read before the lock.
// parameters: ids, claim, now
// returns: id, name, kind, country, latitude, longitude, createdAt, batchId
UNWIND $ids AS id
MERGE (b:Buyer {id: id})
ON CREATE SET b.batchId = $claim
SET b.touchedAt = $now
RETURN b.id AS id, b.name AS name, b.kind AS kind, b.country AS country, b.latitude AS latitude,
  b.longitude AS longitude, b.createdAt AS createdAt, b.batchId AS batchId
