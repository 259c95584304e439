// Which of these buyers are there, pending imports included.
// parameters: ids
// returns: id
UNWIND $ids AS key
MATCH (b:Buyer {id: key})
RETURN b.id AS id
