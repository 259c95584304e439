"""Webhooks: match events sent to partners' endpoints, signed, each endpoint a cursor of its own."""
