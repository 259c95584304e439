// Changes what was announced of pairs.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (m:MatchState {id: row.id})
SET m.announcedAt = row.announcedAt, m.lastScore = row.lastScore, m.status = row.status,
  m.terms = row.terms, m.modelVersion = row.modelVersion
