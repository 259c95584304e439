// Which of these offers are there, pending imports included.
// parameters: ids
// returns: id
MATCH (o:Offer) WHERE o.id IN $ids
RETURN o.id AS id
