"""What holds of every legal stream, one small class for each rule; `catalogue.breaches` says where it does not."""
