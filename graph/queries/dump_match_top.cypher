// Every MatchTop with all its properties, for a backup.
// parameters: none
// returns: id!, top, digestDay, digestCount
MATCH (n:MatchTop)
RETURN n.id AS id, n.top AS top, n.digestDay AS digestDay, n.digestCount AS digestCount
