"""One file per server interface, each an exchange."""
