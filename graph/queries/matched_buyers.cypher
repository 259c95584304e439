// Which buyers have matches shown in the graph.
// parameters: none
// returns: id
MATCH (b:Buyer)-[:MATCHED]->(:Offer)
RETURN DISTINCT b.id AS id ORDER BY id
