// Which of these vendors are there, pending imports included.
// parameters: ids
// returns: id
MATCH (v:Vendor) WHERE v.id IN $ids
RETURN v.id AS id
