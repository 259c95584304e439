// Removes the counters without these ids.
// parameters: ids
// returns: none
MATCH (c:Counter) WHERE NOT c.id IN $ids
DELETE c
