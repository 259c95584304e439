// Leaves these offers without a vendor.
// parameters: ids
// returns: none
MATCH (:Vendor)-[r:LISTS]->(o:Offer) WHERE o.id IN $ids
DELETE r
