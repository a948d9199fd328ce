"""`python -m kdutils.cli`, the same as the script `kdutils`."""

from kdutils.cli import main

main()
