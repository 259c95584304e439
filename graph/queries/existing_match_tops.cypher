// Which of these buyers were looked at before.
// parameters: ids
// returns: id
UNWIND $ids AS key
MATCH (t:MatchTop {id: key})
RETURN t.id AS id
