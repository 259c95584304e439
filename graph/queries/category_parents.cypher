// Every edge of the category forest, pending imports included.
// parameters: none
// returns: id, parentId
MATCH (c:Category)-[:SUBCATEGORY_OF]->(a:Category)
RETURN c.id AS id, a.id AS parentId
