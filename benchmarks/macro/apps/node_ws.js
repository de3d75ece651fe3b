// The `ws` package on Node's own server.
const http = require('node:http')
const { PORT, echoSockets } = require('./asked')

echoSockets(http.createServer().listen(PORT, '127.0.0.1'))
