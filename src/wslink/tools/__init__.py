"""Commands that inspect a running server: `wslink call`, `wslink watch` and `wslink doctor` (docs/tools.md)."""
