// Sets who has a lease, and until when.
// parameters: id, holder, epoch, expiresAt
// returns: none
MATCH (l:Lease {id: $id})
SET l.holder = $holder, l.epoch = $epoch, l.expiresAt = $expiresAt
