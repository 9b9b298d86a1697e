"""Several workers as one application: a log that they share, and what they tell each other through it."""
