// Which of these categories are there, pending imports included.
// parameters: ids
// returns: id
MATCH (c:Category) WHERE c.id IN $ids
RETURN c.id AS id
