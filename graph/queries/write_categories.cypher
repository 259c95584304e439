// Sets every property of categories that are there; they belong to no pending import after it.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (c:Category {id: row.id})
SET c.name = row.name, c.batchId = null
