// Sets a counter.
// parameters: id, to
// returns: none
MATCH (c:Counter {id: $id})
SET c.value = $to
