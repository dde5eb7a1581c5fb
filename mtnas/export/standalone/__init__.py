"""Files that go into every export as they are; they import nothing of mtnas."""
