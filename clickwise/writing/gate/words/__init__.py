"""What the gate knows of each language, as text files; `lexicon` reads them."""
