// Sets every property of offers that are there; they belong to no pending import after it.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (o:Offer {id: row.id})
SET o.title = row.title, o.description = row.description, o.priceMinor = row.priceMinor,
  o.currency = row.currency, o.availableQuantity = row.availableQuantity, o.status = row.status,
  o.validFrom = row.validFrom, o.validTo = row.validTo, o.latitude = row.latitude,
  o.longitude = row.longitude, o.createdAt = row.createdAt, o.batchId = null
