//! How the model is written and read on the wire.
