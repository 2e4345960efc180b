"""Who may talk to the server: certificates and tokens."""
