// Vendors of these offers, pending imports included.
// parameters: ids
// returns: id, vendorId
MATCH (v:Vendor)-[:LISTS]->(o:Offer) WHERE o.id IN $ids
RETURN o.id AS id, v.id AS vendorId
