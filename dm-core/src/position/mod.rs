//! Where in a stream something stands.
