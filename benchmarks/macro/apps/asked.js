// What the benchmark asks of a program, and what every program answers with.
const PIECE = Buffer.alloc(64 * 1024, 'x')

module.exports = {
  PORT: Number(process.env.PORT),
  WORKLOAD: process.env.WORKLOAD,
  LAYERS: Number(process.env.LAYERS ?? 0), // middleware that only pass on
  HELLO: 'Hello World',
  MAX_BODY: 32 * 1024 * 1024,
  BINARY: 'application/octet-stream',

  document: () => ({
    id: 1,
    name: 'ohia',
    tags: ['a', 'b', 'c'],
    price: 9.99,
    nested: { ok: true, none: null }
  }),

  pieces: async function * () {
    for (let i = 0; i < 16; i++) yield PIECE
  },

  echoSockets: server => {
    const { WebSocketServer } = require('ws')
    const sockets = new WebSocketServer({ server, perMessageDeflate: false })
    sockets.on('connection', socket => {
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
    })
  }
}
