// Adds rows to the event log.
// parameters: rows, now
// returns: none
UNWIND $rows AS row
CREATE (e:Event {seq: row.seq, id: row.id, type: row.type, buyerId: row.buyerId, offerId: row.offerId,
  vendorId: row.vendorId, categoryIds: row.categoryIds, score: row.score, rank: row.rank,
  modelVersion: row.modelVersion, occurredAt: $now, payload: row.payload})
