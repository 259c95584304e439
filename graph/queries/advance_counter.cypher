// Adds to a counter, locks it until the transaction ends and returns its new value.
// parameters: id, by
// returns: value
MATCH (c:Counter {id: $id})
SET c.value = c.value + $by
RETURN c.value AS value
