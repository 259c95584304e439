// Makes a lease that nobody has where there is none; locks it until the transaction ends.
// parameters: id, now
// returns: holder, epoch, expiresAt
MERGE (l:Lease {id: $id})
ON CREATE SET l.holder = '', l.epoch = 0, l.expiresAt = $now, l.touchedAt = $now
ON MATCH SET l.touchedAt = $now
RETURN l.holder AS holder, l.epoch AS epoch, l.expiresAt AS expiresAt
