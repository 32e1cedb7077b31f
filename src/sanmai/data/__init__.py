"""Problems in, checked; messages to tokens; completions taken apart."""
