import sys

from wslink.cli import main

sys.exit(main())
