// Locks a lease until the transaction ends and returns who has it.
// parameters: id, now
// returns: holder, epoch
MATCH (l:Lease {id: $id})
SET l.touchedAt = $now
RETURN l.holder AS holder, l.epoch AS epoch
