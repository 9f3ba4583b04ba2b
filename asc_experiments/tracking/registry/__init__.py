"""The Model Registry: candidates, gates, promotion, the model card, stored networks."""
