"""Tools that work from a server's description: `wslink describe` and `wslink typegen` (docs/contract.md)."""
