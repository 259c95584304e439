"""The GraphQL edge: types, resolvers that only translate, and the server."""
