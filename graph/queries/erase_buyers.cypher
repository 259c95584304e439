// Erases buyers with all their relationships, also those of pending imports.
// parameters: ids
// returns: none
MATCH (b:Buyer) WHERE b.id IN $ids
DETACH DELETE b
