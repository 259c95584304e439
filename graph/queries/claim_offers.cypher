// Locks the offers with these ids and makes those that are not there, marked with the claim:
// what is read here cannot change before the transaction ends. The lock sets a number, for the
// embedded engine returns garbage where a text is set to itself.
// parameters: ids, claim
// returns: id, title, description, priceMinor, currency, availableQuantity, status, validFrom,
//   validTo, latitude, longitude, createdAt, batchId
UNWIND $ids AS id
MERGE (o:Offer {id: id})
ON CREATE SET o.batchId = $claim
ON MATCH SET o.latitude = o.latitude
RETURN o.id AS id, o.title AS title, o.description AS description, o.priceMinor AS priceMinor,
  o.currency AS currency, o.availableQuantity AS availableQuantity, o.status AS status,
  o.validFrom AS validFrom, o.validTo AS validTo, o.latitude AS latitude,
  o.longitude AS longitude, o.createdAt AS createdAt, o.batchId AS batchId
