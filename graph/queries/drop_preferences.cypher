// Forgets what buyers prefer.
// parameters: ids
// returns: none
MATCH (b:Buyer)-[r:PREFERS]->(:Category) WHERE b.id IN $ids
DELETE r
