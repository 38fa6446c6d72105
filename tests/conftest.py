"""For all tests: its place here lets every room import the helpers beside it (`from paper_process import paper_process`)."""
