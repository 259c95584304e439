// Offers with these ids, each with its vendor and its categories.
// parameters: ids
// returns: id, title, description, priceMinor, currency, availableQuantity, status, validFrom,
//   validTo, latitude, longitude, createdAt, vendorId, categoryIds
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer) WHERE o.id IN $ids AND (o.batchId IS NULL OR NOT o.batchId IN pending)
OPTIONAL MATCH (v:Vendor)-[:LISTS]->(o) WHERE (v.batchId IS NULL OR NOT v.batchId IN pending)
OPTIONAL MATCH (o)-[:IN_CATEGORY]->(c:Category)
  WHERE (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN o.id AS id, o.title AS title, o.description AS description, o.priceMinor AS priceMinor,
  o.currency AS currency, o.availableQuantity AS availableQuantity, o.status AS status,
  o.validFrom AS validFrom, o.validTo AS validTo, o.latitude AS latitude,
  o.longitude AS longitude, o.createdAt AS createdAt,
  v.id AS vendorId, collect(c.id) AS categoryIds
