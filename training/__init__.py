"""The only home of torch: models are trained, compared and exported here."""
