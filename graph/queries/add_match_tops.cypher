// Keeps the first matches of buyers that have none.
// parameters: rows
// returns: none
UNWIND $rows AS row
CREATE (t:MatchTop {id: row.id, top: row.top, digestDay: row.digestDay,
  digestCount: row.digestCount})
