// The counters with these ids.
// parameters: ids
// returns: id, value
MATCH (c:Counter) WHERE c.id IN $ids
RETURN c.id AS id, c.value AS value
