"""One file a command: `run(config)` puts the floors below together and says what came of it."""
