// Keeps what was announced of pairs that were never announced before.
// parameters: rows
// returns: none
UNWIND $rows AS row
CREATE (m:MatchState {id: row.id, buyerId: row.buyerId, offerId: row.offerId,
  announcedAt: row.announcedAt, lastScore: row.lastScore, status: row.status, terms: row.terms,
  modelVersion: row.modelVersion})
