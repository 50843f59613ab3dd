"""The desk: what a person breaks and loads the stack with, from its page. It runs beside `tandem up`.

python -m tandem_lab.desk DATA_DIR PORT
"""

#: Where the load balancer of the stack leads to it.
PATH = "/lab"
