// Categories of these offers, pending imports included.
// parameters: ids
// returns: id, categoryId
MATCH (o:Offer)-[:IN_CATEGORY]->(c:Category) WHERE o.id IN $ids
RETURN o.id AS id, c.id AS categoryId
