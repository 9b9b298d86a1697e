"""All peers together: topics, filters, and fan-out that encodes once."""
