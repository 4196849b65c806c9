"""`python -m vrfbgp`"""

from vrfbgp.cli import main

main()
