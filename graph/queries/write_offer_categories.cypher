// Puts offers into categories.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (o:Offer {id: row.id}), (c:Category {id: row.categoryId})
MERGE (o)-[:IN_CATEGORY]->(c)
