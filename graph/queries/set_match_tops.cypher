// Changes the first matches of buyers.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (t:MatchTop {id: row.id})
SET t.top = row.top, t.digestDay = row.digestDay, t.digestCount = row.digestCount
