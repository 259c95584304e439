// Every SUBCATEGORY_OF relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!
MATCH (f:Category)-[r:SUBCATEGORY_OF]->(t:Category)
RETURN f.id AS from_id, t.id AS to_id
