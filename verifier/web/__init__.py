"""What browsers get from the verifier: the drop-in script, and the playground of a demo."""
