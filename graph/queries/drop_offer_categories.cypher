// Takes these offers out of all categories.
// parameters: ids
// returns: none
MATCH (o:Offer)-[r:IN_CATEGORY]->(:Category) WHERE o.id IN $ids
DELETE r
