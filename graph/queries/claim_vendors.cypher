// Locks the vendors with these ids and makes those that are not there, marked with the claim:
// what is read here cannot change before the transaction ends. The lock sets a number, for the
// embedded engine returns garbage where a text is set to itself.
// parameters: ids, claim
// returns: id, name, country, latitude, longitude, batchId
UNWIND $ids AS id
MERGE (v:Vendor {id: id})
ON CREATE SET v.batchId = $claim
ON MATCH SET v.latitude = v.latitude
RETURN v.id AS id, v.name AS name, v.country AS country, v.latitude AS latitude,
  v.longitude AS longitude, v.batchId AS batchId
