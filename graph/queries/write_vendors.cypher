// Sets every property of vendors that are there; they belong to no pending import after it.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (v:Vendor {id: row.id})
SET v.name = row.name, v.country = row.country, v.latitude = row.latitude,
  v.longitude = row.longitude, v.batchId = null
