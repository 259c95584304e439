// Locks the vendors with these ids and makes those that are not there, marked with the claim:
// what is returned cannot change before the transaction ends. To set a property locks the row; it is
// one that nothing else is read from, for what is set to itself may be read before the lock.
// parameters: ids, claim, now
// returns: id, name, country, latitude, longitude, batchId
UNWIND $ids AS id
MERGE (v:Vendor {id: id})
ON CREATE SET v.batchId = $claim
SET v.touchedAt = $now
RETURN v.id AS id, v.name AS name, v.country AS country, v.latitude AS latitude,
  v.longitude AS longitude, v.batchId AS batchId
