"""GraphSAGE: fits what scoring serves. The only room with torch.

``gnn.recipe`` holds what a training step does, ``gnn.train`` the whole of a training,
``gnn.evaluate`` how good the result is. Importing this package imports no torch.
"""
