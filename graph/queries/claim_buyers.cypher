// Locks the buyers with these ids and makes those that are not there, marked with the claim:
// what is read here cannot change before the transaction ends. The lock sets a number, for the
// embedded engine returns garbage where a text is set to itself.
// parameters: ids, claim
// returns: id, name, kind, country, latitude, longitude, createdAt, batchId
UNWIND $ids AS id
MERGE (b:Buyer {id: id})
ON CREATE SET b.batchId = $claim
ON MATCH SET b.latitude = b.latitude
RETURN b.id AS id, b.name AS name, b.kind AS kind, b.country AS country, b.latitude AS latitude,
  b.longitude AS longitude, b.createdAt AS createdAt, b.batchId AS batchId
