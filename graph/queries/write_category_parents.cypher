// Puts categories under their parents.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (c:Category {id: row.id}), (a:Category {id: row.parentId})
MERGE (c)-[:SUBCATEGORY_OF]->(a)
