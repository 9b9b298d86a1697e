"""A server whose page is written in React and TypeScript, and checked against it.

    npm ci && npm run build         in this directory, after scripts/setup
    python -m examples.typed_react

After a change here: wslink typegen examples.typed_react.server:app -o examples/typed_react/src/api.ts
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.typed_react.server import app

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    app.run(port=parser.parse_args().port, content=Path(__file__).parent / "dist")
