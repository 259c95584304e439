// Every Lease with all its properties, for a backup.
// parameters: none
// returns: id!, holder, epoch, expiresAt, touchedAt
MATCH (n:Lease)
RETURN n.id AS id, n.holder AS holder, n.epoch AS epoch, n.expiresAt AS expiresAt,
  n.touchedAt AS touchedAt
