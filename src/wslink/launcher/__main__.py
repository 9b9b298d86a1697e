import sys

from wslink.launcher.cli import main

sys.exit(main())
