// Lists offers under their vendors.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (v:Vendor {id: row.vendorId}), (o:Offer {id: row.id})
MERGE (v)-[:LISTS]->(o)
