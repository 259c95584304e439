// Erases vendors with all their relationships, also those of pending imports.
// parameters: ids
// returns: none
MATCH (v:Vendor) WHERE v.id IN $ids
DETACH DELETE v
