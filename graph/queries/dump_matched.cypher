// Every MATCHED relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!, score!, rank, modelVersion, at, explanation, explanationKind,
//   contribution
MATCH (f:Buyer)-[r:MATCHED]->(t:Offer)
RETURN f.id AS from_id, t.id AS to_id, r.score AS score, r.rank AS rank,
  r.modelVersion AS modelVersion, r.at AS at, r.explanation AS explanation,
  r.explanationKind AS explanationKind, r.contribution AS contribution
