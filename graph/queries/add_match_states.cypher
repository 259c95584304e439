// Keeps what was announced now of pairs that were never announced before.
// parameters: rows, now
// returns: none
UNWIND $rows AS row
CREATE (m:MatchState {id: row.id, buyerId: row.buyerId, offerId: row.offerId,
  announcedAt: $now, lastScore: row.lastScore, status: row.status, terms: row.terms,
  modelVersion: row.modelVersion})
