from wslink.server.released import start

start()
