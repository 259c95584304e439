// Erases categories with all their relationships, also those of pending imports.
// parameters: ids
// returns: none
MATCH (c:Category) WHERE c.id IN $ids
DETACH DELETE c
