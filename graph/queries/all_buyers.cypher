// Every buyer, pending imports apart.
// parameters: none
// returns: id!, name, kind, country, latitude, longitude, createdAt
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer) WHERE (b.batchId IS NULL OR NOT b.batchId IN pending)
RETURN b.id AS id, b.name AS name, b.kind AS kind, b.country AS country, b.latitude AS latitude,
  b.longitude AS longitude, b.createdAt AS createdAt
