// Every vendor, pending imports apart.
// parameters: none
// returns: id!, name, country, latitude, longitude
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (v:Vendor) WHERE (v.batchId IS NULL OR NOT v.batchId IN pending)
RETURN v.id AS id, v.name AS name, v.country AS country, v.latitude AS latitude,
  v.longitude AS longitude
