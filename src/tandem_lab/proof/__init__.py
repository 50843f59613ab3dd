"""The proof that nothing acknowledged is lost and nothing happens twice: load, faults, and a comparison."""
