// Erases what was announced to buyers.
// parameters: ids
// returns: none
MATCH (m:MatchState) WHERE m.buyerId IN $ids
DELETE m
