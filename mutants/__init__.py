"""Take each guard out once, and see that a test notices.

A *mutant* is the code with one guard broken. `make mutants` makes each of them in a copy of the
tree, runs the tests that are named for it there, and says which were noticed (killed) and which
were not (SURVIVED). The lists stand in this folder's other files, one for each part of the path
that a cent or a card takes. `make proof` also has the simulator look at them, and records what all
of it came to; `docs/proof.md` shows it.
"""
