// Which of these buyers are there, pending imports included.
// parameters: ids
// returns: id
MATCH (b:Buyer) WHERE b.id IN $ids
RETURN b.id AS id
