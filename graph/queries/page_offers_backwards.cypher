// Ids of offers between two ids, last first, of a vendor and below a category where asked for.
// parameters: after, bounded, before, ofVendor, vendorId, inCategory, categoryId, limit
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer)
WHERE o.id > $after AND (NOT $bounded OR o.id < $before)
  AND (o.batchId IS NULL OR NOT o.batchId IN pending)
  AND (NOT $ofVendor OR EXISTS { MATCH (v:Vendor)-[:LISTS]->(o) WHERE v.id = $vendorId })
  AND (NOT $inCategory OR EXISTS {
    MATCH (o)-[:IN_CATEGORY]->(:Category)-[:SUBCATEGORY_OF*0..8]->(c:Category)
    WHERE c.id = $categoryId })
RETURN o.id AS id ORDER BY id DESC LIMIT $limit
