// Makes these categories roots.
// parameters: ids
// returns: none
MATCH (c:Category)-[r:SUBCATEGORY_OF]->(:Category) WHERE c.id IN $ids
DELETE r
