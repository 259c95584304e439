// Every offer without its vendor and categories, pending imports apart.
// parameters: none
// returns: id!, title, description, priceMinor, currency, availableQuantity, status,
//   validFrom, validTo, latitude, longitude, createdAt
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer) WHERE (o.batchId IS NULL OR NOT o.batchId IN pending)
RETURN o.id AS id, o.title AS title, o.description AS description, o.priceMinor AS priceMinor,
  o.currency AS currency, o.availableQuantity AS availableQuantity, o.status AS status,
  o.validFrom AS validFrom, o.validTo AS validTo, o.latitude AS latitude,
  o.longitude AS longitude, o.createdAt AS createdAt
