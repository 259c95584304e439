// Direct subcategories of these categories.
// parameters: ids
// returns: parentId, id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (c:Category)-[:SUBCATEGORY_OF]->(a:Category)
WHERE a.id IN $ids AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN a.id AS parentId, c.id AS id
