// What was announced of pairs, by the ids of their states.
// parameters: ids
// returns: buyerId, offerId, announcedAt, lastScore, status!, terms, modelVersion
UNWIND $ids AS key
MATCH (m:MatchState {id: key})
RETURN m.buyerId AS buyerId, m.offerId AS offerId, m.announcedAt AS announcedAt,
  m.lastScore AS lastScore, m.status AS status, m.terms AS terms, m.modelVersion AS modelVersion
