"""The property graph: one store over two engines, the query texts and the schema."""
