// Takes matches out of the graph.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId})-[r:MATCHED]->(o:Offer {id: row.offerId})
DELETE r
