"""The scripted model, asked by the real SDK over HTTP."""
