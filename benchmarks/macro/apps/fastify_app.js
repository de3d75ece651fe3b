// Fastify; its layers are onRequest hooks, which have no way back.
const { Readable } = require('node:stream')
const { BINARY, HELLO, LAYERS, MAX_BODY, PORT, WORKLOAD, document, pieces } = require('./asked')

const app = require('fastify')({ bodyLimit: MAX_BODY })

const layer = async (request, reply) => {}

const hello = async (request, reply) => HELLO

const json = async (request, reply) => document()

const echo = async (request, reply) => request.body

const user = async (request, reply) => request.params.id

const stream = async (request, reply) => reply.type(BINARY).send(Readable.from(pieces()))

app.addContentTypeParser(BINARY, { parseAs: 'buffer' }, async (request, body) => body)
for (let i = 0; i < LAYERS; i++) app.addHook('onRequest', layer)

if (WORKLOAD === 'echo') app.post('/', echo)
else if (WORKLOAD === 'route') app.get('/users/:id', user)
else app.get('/', { json, stream }[WORKLOAD] ?? hello)

app.listen({ port: PORT, host: '127.0.0.1' })
