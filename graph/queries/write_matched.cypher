// Shows matches in the graph.
// parameters: rows
// returns: written
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId}), (o:Offer {id: row.offerId})
MERGE (b)-[r:MATCHED]->(o)
SET r.score = row.score, r.rank = row.rank, r.modelVersion = row.modelVersion, r.at = row.at,
  r.explanation = row.explanation, r.explanationKind = row.explanationKind,
  r.contribution = row.contribution
RETURN count(r) AS written
