// The first matches of buyers, as last looked at.
// parameters: ids
// returns: id, top!, digestDay, digestCount
UNWIND $ids AS key
MATCH (t:MatchTop {id: key})
RETURN t.id AS id, t.top AS top, t.digestDay AS digestDay, t.digestCount AS digestCount
