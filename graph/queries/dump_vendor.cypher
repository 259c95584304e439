// Every Vendor with all its properties, for a backup.
// parameters: none
// returns: id!, name, country, latitude, longitude, touchedAt, batchId
MATCH (n:Vendor)
RETURN n.id AS id, n.name AS name, n.country AS country, n.latitude AS latitude,
  n.longitude AS longitude, n.touchedAt AS touchedAt, n.batchId AS batchId
