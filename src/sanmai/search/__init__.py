"""Search at test time: what is written next, what is kept, what is answered."""
