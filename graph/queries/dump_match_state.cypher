// Every MatchState with all its properties, for a backup.
// parameters: none
// returns: id!, buyerId, offerId, announcedAt, lastScore, status, terms, modelVersion
MATCH (n:MatchState)
RETURN n.id AS id, n.buyerId AS buyerId, n.offerId AS offerId, n.announcedAt AS announcedAt,
  n.lastScore AS lastScore, n.status AS status, n.terms AS terms, n.modelVersion AS modelVersion
