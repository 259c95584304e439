// Forgets pairs that ended and were last told as new before a time.
// parameters: status, before
// returns: none
MATCH (m:MatchState) WHERE m.status = $status AND m.announcedAt < $before
DELETE m
