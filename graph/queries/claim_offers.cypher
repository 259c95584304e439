// Locks the offers with these ids and makes those that are not there, marked with the claim:
// what is returned cannot change before the transaction ends. To set a property locks the row; it is
// one that nothing else is read from, for what is set to itself may be read before the lock.
// parameters: ids, claim, now
// returns: id, title, description, priceMinor, currency, availableQuantity, status, validFrom,
//   validTo, latitude, longitude, createdAt, batchId
UNWIND $ids AS id
MERGE (o:Offer {id: id})
ON CREATE SET o.batchId = $claim
SET o.touchedAt = $now
RETURN o.id AS id, o.title AS title, o.description AS description, o.priceMinor AS priceMinor,
  o.currency AS currency, o.availableQuantity AS availableQuantity, o.status AS status,
  o.validFrom AS validFrom, o.validTo AS validTo, o.latitude AS latitude,
  o.longitude AS longitude, o.createdAt AS createdAt, o.batchId AS batchId
