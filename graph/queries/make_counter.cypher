// Makes a counter at 0 where there is none.
// parameters: id
// returns: none
MERGE (c:Counter {id: $id})
ON CREATE SET c.value = 0
