// Adds INQUIRED_ABOUT interactions.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId}), (o:Offer {id: row.offerId})
MERGE (b)-[r:INQUIRED_ABOUT {id: row.id}]->(o)
SET r.at = row.at, r.value = row.value, r.context = row.context, r.batchId = null
