// Says what buyers prefer.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId}), (c:Category {id: row.categoryId})
MERGE (b)-[r:PREFERS]->(c)
SET r.weight = row.weight, r.source = row.source, r.batchId = null
