// What was announced of offers.
// parameters: ids
// returns: buyerId, offerId, announcedAt, lastScore, status!, terms, modelVersion
MATCH (m:MatchState) WHERE m.offerId IN $ids
RETURN m.buyerId AS buyerId, m.offerId AS offerId, m.announcedAt AS announcedAt,
  m.lastScore AS lastScore, m.status AS status, m.terms AS terms, m.modelVersion AS modelVersion
