"""Real database servers, their certificates, and the faults that stand between them and a client."""
