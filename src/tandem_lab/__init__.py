"""The lab: proofs and measurements against a running stack."""
