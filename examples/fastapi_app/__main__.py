"""Runs the example: python -m examples.fastapi_app [PORT]"""

import sys

import uvicorn
from examples.fastapi_app.main import app

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000, log_level="warning")
