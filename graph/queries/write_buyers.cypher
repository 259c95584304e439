// Sets every property of buyers that are there; they belong to no pending import after it.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.id})
SET b.name = row.name, b.kind = row.kind, b.country = row.country, b.latitude = row.latitude,
  b.longitude = row.longitude, b.createdAt = row.createdAt, b.batchId = null
