// Erases the first matches of buyers.
// parameters: ids
// returns: none
UNWIND $ids AS key
MATCH (t:MatchTop {id: key})
DELETE t
