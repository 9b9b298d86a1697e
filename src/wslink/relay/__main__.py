import sys

from wslink.relay.cli import main

sys.exit(main())
