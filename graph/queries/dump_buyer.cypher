// Every Buyer with all its properties, for a backup.
// parameters: none
// returns: id!, name, kind, country, latitude, longitude, createdAt, touchedAt, batchId
MATCH (n:Buyer)
RETURN n.id AS id, n.name AS name, n.kind AS kind, n.country AS country, n.latitude AS latitude,
  n.longitude AS longitude, n.createdAt AS createdAt, n.touchedAt AS touchedAt,
  n.batchId AS batchId
