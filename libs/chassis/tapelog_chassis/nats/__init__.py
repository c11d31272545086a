"""The broker: an embedded server, identities, connections, pull consumers and provisioning."""
