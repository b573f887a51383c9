"""python -m suuupra"""

from suuupra.cli import main

main()
