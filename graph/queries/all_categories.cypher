// Every category with its parent, pending imports apart.
// parameters: none
// returns: id!, name, parentId
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (c:Category) WHERE (c.batchId IS NULL OR NOT c.batchId IN pending)
OPTIONAL MATCH (c)-[:SUBCATEGORY_OF]->(a:Category)
  WHERE (a.batchId IS NULL OR NOT a.batchId IN pending)
RETURN c.id AS id, c.name AS name, a.id AS parentId
