"""Several workers as one application: a shared log, and the records that workers exchange through it."""
