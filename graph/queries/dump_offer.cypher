// Every Offer with all its properties, for a backup.
// parameters: none
// returns: id!, title, description, priceMinor, currency, availableQuantity, status,
//   validFrom, validTo, latitude, longitude, createdAt, touchedAt, batchId
MATCH (n:Offer)
RETURN n.id AS id, n.title AS title, n.description AS description, n.priceMinor AS priceMinor,
  n.currency AS currency, n.availableQuantity AS availableQuantity, n.status AS status,
  n.validFrom AS validFrom, n.validTo AS validTo, n.latitude AS latitude,
  n.longitude AS longitude, n.createdAt AS createdAt, n.touchedAt AS touchedAt,
  n.batchId AS batchId
