"""GraphSAGE: fits what scoring serves. The only room with torch.

``gnn.recipe`` holds what a training step does, ``gnn.train`` the whole of a training. Importing
this package imports no torch.
"""
