// The matches that the graph shows of these buyers.
// parameters: ids
// returns: buyerId, offerId!, score!, rank, modelVersion, explanation, explanationKind,
//   contribution
MATCH (b:Buyer)-[r:MATCHED]->(o:Offer) WHERE b.id IN $ids
RETURN b.id AS buyerId, o.id AS offerId, r.score AS score, r.rank AS rank,
  r.modelVersion AS modelVersion, r.explanation AS explanation,
  r.explanationKind AS explanationKind, r.contribution AS contribution
