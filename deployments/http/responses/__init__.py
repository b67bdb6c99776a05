"""Bodies that go out. Each builds itself from the values of the store, the decisions and the encoders."""
