"""GraphQL's object types, one concept a file; ``from_domain`` builds each from an entity."""
