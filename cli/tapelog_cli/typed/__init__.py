"""What people type: names, moments, passages, words for enumerations, and files they write."""
