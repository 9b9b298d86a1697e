import sys

from wslink.server.cli import main

sys.exit(main())
